// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_sensors vigia_host
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "support/arrivals_fixture.h"
#include "support/raw_io.h"

// Every way in which content comes into a watched folder (hard-parts 1), on each kind of file
// system.
namespace vigia::test {
namespace {

namespace fs = std::filesystem;

TEST_P(Arrivals, AWrittenFileIsSeenWhenItIsClosed) {
    write_file(inside() / "plain", std::string(kContent));
    expect_arrival(inside() / "plain", FileChange::ClosedAfterWrite);
}

TEST_P(Arrivals, AHardLinkFromAnUnwatchedFolderIsSeen) {
    write_file(outside() / "target", std::string(kContent));
    fs::create_hard_link(outside() / "target", inside() / "link");
    expect_arrival(inside() / "link", FileChange::Created);
}

TEST_P(Arrivals, AWriteThroughTheUnwatchedNameOfALinkedFileIsSeen) {
    write_file(outside() / "target", "clean so far");
    fs::create_hard_link(outside() / "target", inside() / "link");
    expect_arrival(inside() / "link", FileChange::Created);
    write_file(outside() / "target", std::string(kContent));
    expect_arrival(inside() / "link", FileChange::ClosedAfterWrite);
}

TEST_P(Arrivals, AnUnnamedFileIsSeenAndSeenAgainWhenItGetsItsName) {
    const auto file = open_at(AT_FDCWD, inside().c_str(), O_TMPFILE | O_RDWR, 0600);
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_TRUE(write_all(file->get(), kContent));
    const auto source = "/proc/self/fd/" + std::to_string(file->get());
    ASSERT_EQ(
        ::linkat(
            AT_FDCWD, source.c_str(), AT_FDCWD, (inside() / "named").c_str(), AT_SYMLINK_FOLLOW),
        0);
    expect_arrival(inside() / "named", FileChange::Created);
}

TEST_P(Arrivals, AnUnnamedFileThatIsClosedIsToldByItsObject) {
    auto file = open_at(AT_FDCWD, inside().c_str(), O_TMPFILE | O_RDWR, 0600);
    ASSERT_TRUE(file) << file.error().message();
    const auto object = FileSensor::identify(file->get());
    ASSERT_TRUE(object);
    ASSERT_TRUE(write_all(file->get(), kContent));
    file->reset();
    EXPECT_TRUE(recorder_.wait([&](const std::vector<Seen>& seen) {
        return std::ranges::any_of(seen, [&](const Seen& one) {
            return one.object == *object && has(one.changes, FileChange::ClosedAfterWrite);
        });
    }));
}

TEST_P(Arrivals, AFolderRenamedInIsToldAsAFolderToWalk) {
    fs::create_directories(outside() / "tree" / "deep");
    write_file(outside() / "tree" / "deep" / "file", std::string(kContent));
    fs::rename(outside() / "tree", inside() / "tree");
    expect_arrival(inside() / "tree", FileChange::FolderMovedIn);
    write_file(inside() / "tree" / "deep" / "later", std::string(kContent));
    expect_arrival(inside() / "tree" / "deep" / "later", FileChange::ClosedAfterWrite);
}

TEST_P(Arrivals, AFolderThatLeavesAFolderStillBeingWalkedIsToldToo) {
    fs::create_directories(outside() / "tree" / "deep");
    fs::rename(outside() / "tree", inside() / "tree");
    fs::rename(inside() / "tree" / "deep", inside() / "escaped");
    expect_arrival(inside() / "escaped", FileChange::FolderMovedIn);
}

TEST_P(Arrivals, AFolderRenamedWithinTheWatchIsNothingNew) {
    fs::create_directories(inside() / "one");
    fs::rename(inside() / "one", inside() / "two");
    settle(inside());
    EXPECT_FALSE(was_seen((inside() / "two").native()));
    EXPECT_GE(sensor_->state().filtered.at("folder"), 2U);
}

TEST_P(Arrivals, AFolderOutOfAnExcludedOneIsToldAsAFolderToWalk) {
    fs::create_directories(inside() / "excluded" / "tree");
    plan_.excluded_folders = {inside() / "excluded"};
    apply();
    fs::rename(inside() / "excluded" / "tree", inside() / "free");
    expect_arrival(inside() / "free", FileChange::FolderMovedIn);
}

TEST_P(Arrivals, AWatchedFolderThatComesWithItsParentIsToldAsAFolderToWalk) {
    fs::create_directories(outside() / "before" / "watched");
    watch({outside() / "after" / "watched", inside()});
    fs::rename(outside() / "before", outside() / "after");
    expect_arrival(outside() / "after" / "watched", FileChange::FolderMovedIn);
    write_file(outside() / "after" / "watched" / "file", std::string(kContent));
    expect_arrival(outside() / "after" / "watched" / "file", FileChange::ClosedAfterWrite);
}

TEST_P(Arrivals, AFileRenamedInIsSeen) {
    write_file(outside() / "file", std::string(kContent));
    fs::rename(outside() / "file", inside() / "file");
    expect_arrival(inside() / "file", FileChange::MovedIn);
}

TEST_P(Arrivals, AFileRenamedOverAnotherIsSeenAsTheNewObject) {
    write_file(inside() / "file", "the old one");
    write_file(inside() / "new", std::string(kContent));
    fs::rename(inside() / "new", inside() / "file");
    expect_arrival(inside() / "file", FileChange::MovedIn);
}

TEST_P(Arrivals, AFileExchangedWithOneOutsideIsSeen) {
    write_file(inside() / "file", "the old one");
    write_file(outside() / "file", std::string(kContent));
    ASSERT_EQ(::renameat2(AT_FDCWD,
                          (outside() / "file").c_str(),
                          AT_FDCWD,
                          (inside() / "file").c_str(),
                          RENAME_EXCHANGE),
              0);
    expect_arrival(inside() / "file", FileChange::MovedIn);
}

TEST_P(Arrivals, AMappedWriterIsSeenWhenItUnmaps) {
    const auto path = make_old_file("mapped");
    auto file = open_at(AT_FDCWD, path.c_str(), O_RDWR);
    ASSERT_TRUE(file);
    void* mapping =
        ::mmap(nullptr, kContent.size(), PROT_READ | PROT_WRITE, MAP_SHARED, file->get(), 0);
    ASSERT_NE(mapping, MAP_FAILED);
    file->reset();
    static_cast<char*>(mapping)[0] = 'X';
    settle(inside());
    EXPECT_FALSE(was_seen(path.native())) << "a mapping gives no event before it ends";
    ::munmap(mapping, kContent.size());
    expect_arrival(path, FileChange::ClosedAfterWrite);
}

TEST_P(Arrivals, AWriteToAFileKeptOpenIsSeen) {
    expect_seen_while_open([](int fd) { ASSERT_TRUE(write_all(fd, kContent)); });
}

// The kernel gives no MODIFY for io_submit (measured): the file is seen when it is closed.
TEST_P(Arrivals, AnAsynchronousWriteIsSeenWhenTheFileIsClosed) {
    const auto path = make_old_file("asynchronous");
    auto file = open_at(AT_FDCWD, path.c_str(), O_RDWR);
    ASSERT_TRUE(file);
    ASSERT_EQ(write_by_aio(file->get(), kContent), "");
    file->reset();
    expect_arrival(path, FileChange::ClosedAfterWrite);
}

TEST_P(Arrivals, AWriteByIoUringToAFileKeptOpenIsSeen) {
    const auto probe = open_at(AT_FDCWD, outside().c_str(), O_TMPFILE | O_RDWR, 0600);
    ASSERT_TRUE(probe);
    if (const auto problem = write_by_io_uring(probe->get(), kContent); !problem.empty()) {
        GTEST_SKIP() << "the kernel refuses io_uring: " << problem;
    }
    expect_seen_while_open([](int fd) { ASSERT_EQ(write_by_io_uring(fd, kContent), ""); });
}

TEST_P(Arrivals, ACopyInsideTheKernelIsSeenWhileTheFileIsOpen) {
    write_file(outside() / "source", std::string(kContent));
    const auto source = open_at(AT_FDCWD, (outside() / "source").c_str(), O_RDONLY);
    ASSERT_TRUE(source);
    expect_seen_while_open([&](int fd) {
        ASSERT_EQ(::copy_file_range(source->get(), nullptr, fd, nullptr, kContent.size(), 0),
                  static_cast<ssize_t>(kContent.size()));
    });
}

TEST_P(Arrivals, ASendfileIsSeenWhileTheFileIsOpen) {
    write_file(outside() / "source", std::string(kContent));
    const auto source = open_at(AT_FDCWD, (outside() / "source").c_str(), O_RDONLY);
    ASSERT_TRUE(source);
    expect_seen_while_open([&](int fd) {
        ASSERT_EQ(::sendfile(fd, source->get(), nullptr, kContent.size()),
                  static_cast<ssize_t>(kContent.size()));
    });
}

TEST_P(Arrivals, AllocatedSpaceIsSeenWhileTheFileIsOpen) {
    expect_seen_while_open([](int fd) { ASSERT_EQ(::fallocate(fd, 0, 0, 65536), 0); });
}

TEST_P(Arrivals, ATruncationByPathIsSeen) {
    const auto path = make_old_file("truncated");
    fs::resize_file(path, 3);
    expect_arrival(path, FileChange::Modified);
}

TEST_P(Arrivals, FilesInFoldersMadeAMomentBeforeAreAllSeen) {
    constexpr int kFolders = 300;
    for (int i = 0; i < kFolders; ++i) {
        const auto folder = inside() / ("d" + std::to_string(i)) / "a" / "b";
        fs::create_directories(folder);
        write_file(folder / "file", std::string(kContent));
    }
    for (int i = 0; i < kFolders; ++i) {
        const auto path = inside() / ("d" + std::to_string(i)) / "a" / "b" / "file";
        ASSERT_TRUE(recorder_.wait_for(path, FileChange::ClosedAfterWrite)) << path;
    }
}

TEST_P(Arrivals, NamesOfAnyBytesPassUnharmed) {
    const std::string longest(255, 'n');
    const std::vector<std::string> names{
        "line\nbreak", "\x1b[31mred", "not\xff\xfeutf8", "-rf", "a (deleted)", longest};
    for (const auto& name : names) {
        fs::create_directory(inside() / name);
        write_file(inside() / name / name, std::string(kContent));
    }
    for (const auto& name : names) {
        expect_arrival(inside() / name / name, FileChange::ClosedAfterWrite);
    }
}

INSTANTIATE_TEST_SUITE_P(On,
                         Arrivals,
                         ::testing::Values("tmpfs", "ext4", "xfs"),
                         [](const auto& named) { return named.param; });

}  // namespace
}  // namespace vigia::test
