// SPDX-License-Identifier: GPL-2.0-or-later
#include "sinks/jsonl_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/files.h"

namespace vigia::sinks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEpoch = "e1";

StoredEvent event(std::uint64_t sequence, std::size_t padding = 0) {
    return {.sequence = sequence,
            .epoch = kEpoch,
            .uid = fmt::format("uid-{}", sequence),
            .json = fmt::format(
                R"({{"metadata":{{"sequence":{}}},"vigia":{{"journal_epoch":"{}"}},"pad":"{}"}})",
                sequence,
                kEpoch,
                std::string(padding, 'x'))};
}

std::vector<StoredEvent> events(std::uint64_t first, std::uint64_t last, std::size_t padding = 0) {
    std::vector<StoredEvent> all;
    for (auto sequence = first; sequence <= last; ++sequence) {
        all.push_back(event(sequence, padding));
    }
    return all;
}

class JsonlSinkTest : public testing::Test {
public:
    JsonlSinkTest() {
        std::string pattern = fs::temp_directory_path() / "vigia-jsonl-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        options_.file = folder_ / "events.jsonl";
    }

    JsonlSinkTest(const JsonlSinkTest&) = delete;
    JsonlSinkTest& operator=(const JsonlSinkTest&) = delete;

    ~JsonlSinkTest() override {
        if (mounted_) {
            ::umount2(folder_.c_str(), MNT_DETACH);
        }
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

protected:
    std::unique_ptr<JsonlSink> open() {
        auto sink = JsonlSink::open(options_);
        EXPECT_TRUE(sink) << sink.error().message();
        return std::move(sink).value();
    }

    [[nodiscard]] std::string content(const std::string& suffix = "") const {
        return read_file(options_.file.native() + suffix, std::size_t{64} << 20U).value_or("");
    }

    // The numbers of all lines, oldest file first; every line must be whole.
    [[nodiscard]] std::vector<std::uint64_t> sequences() const {
        std::vector<std::uint64_t> all;
        for (int number = 9; number >= 0; --number) {
            const auto text = content(number == 0 ? "" : fmt::format(".{}", number));
            EXPECT_TRUE(text.empty() || text.ends_with('\n'));
            std::istringstream lines(text);
            for (std::string line; std::getline(lines, line);) {
                all.push_back(nlohmann::json::parse(line)["metadata"]["sequence"]);
            }
        }
        return all;
    }

    void append(std::string_view bytes) const {
        std::ofstream(options_.file, std::ios::app | std::ios::binary) << bytes;
    }

    static std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
        std::vector<std::uint64_t> all;
        for (; first <= last; ++first) {
            all.push_back(first);
        }
        return all;
    }

    fs::path folder_;
    JsonlSink::Options options_;
    bool mounted_ = false;
};

TEST_F(JsonlSinkTest, WritesEachEventAsOneLineAndResumesBehindTheLast) {
    {
        auto sink = open();
        EXPECT_EQ(sink->resume().sequence, 0U);
        EXPECT_EQ(sink->resume().epoch, "");
        EXPECT_EQ(sink->deliver(events(1, 3)).value(), 3U);
        EXPECT_EQ(sink->deliver(events(4, 4)).value(), 4U);
    }
    auto sink = open();
    EXPECT_EQ(sink->resume().epoch, kEpoch);
    EXPECT_EQ(sink->resume().sequence, 4U);
    EXPECT_EQ(sink->resume().torn_bytes, 0U);
    EXPECT_EQ(sequences(), range(1, 4));
    struct stat status{};
    ASSERT_EQ(::stat(options_.file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_F(JsonlSinkTest, LeavesOutWhatStandsInTheFileAlready) {
    ASSERT_TRUE(open()->deliver(events(1, 5)));
    auto sink = open();
    EXPECT_EQ(sink->deliver(events(3, 7)).value(), 7U);
    EXPECT_EQ(sink->deliver(events(3, 7)).value(), 7U);
    EXPECT_EQ(sequences(), range(1, 7));
}

TEST_F(JsonlSinkTest, CutsATornLineWhereverTheKillHitIt) {
    const auto whole = event(3).json + "\n";
    for (std::size_t cut = 1; cut < whole.size(); ++cut) {
        fs::remove(options_.file);
        ASSERT_TRUE(open()->deliver(events(1, 2)));
        append(std::string_view(whole).substr(0, cut));
        auto sink = open();
        ASSERT_EQ(sink->resume().sequence, 2U);
        ASSERT_EQ(sink->resume().torn_bytes, cut);
        ASSERT_TRUE(sink->deliver(events(3, 3)));
        ASSERT_EQ(sequences(), range(1, 3));
    }
}

TEST_F(JsonlSinkTest, CutsAFirstLineThatWasTorn) {
    append(R"({"metadata":{"sequ)");
    auto sink = open();
    EXPECT_EQ(sink->resume().epoch, "");
    EXPECT_GT(sink->resume().torn_bytes, 0U);
    ASSERT_TRUE(sink->deliver(events(1, 1)));
    EXPECT_EQ(sequences(), range(1, 1));
}

TEST_F(JsonlSinkTest, CutsZerosAndGarbageThatAPowerLossLeft) {
    ASSERT_TRUE(open()->deliver(events(1, 2)));
    append(std::string(4096, '\0') + "\n" + R"({"half":)" + "\n\n");
    auto sink = open();
    EXPECT_EQ(sink->resume().sequence, 2U);
    ASSERT_TRUE(sink->deliver(events(3, 3)));
    EXPECT_EQ(sequences(), range(1, 3));
}

TEST_F(JsonlSinkTest, FindsTheLastEventBehindALineOfMegabytes) {
    ASSERT_TRUE(open()->deliver(events(1, 1, std::size_t{3} << 20U)));
    append(std::string(std::size_t{2} << 20U, 'z'));
    auto sink = open();
    EXPECT_EQ(sink->resume().sequence, 1U);
    EXPECT_EQ(sink->resume().torn_bytes, std::size_t{2} << 20U);
}

TEST_F(JsonlSinkTest, SetsAFileAsideThatIsNotOurs) {
    append("some text\nof somebody\n");
    auto sink = open();
    ASSERT_TRUE(sink->deliver(events(1, 1)));
    EXPECT_EQ(sequences(), range(1, 1));
    int aside = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) {
        aside += entry.path().filename().native().starts_with("events.jsonl.damaged-") ? 1 : 0;
    }
    EXPECT_EQ(aside, 1);
}

TEST_F(JsonlSinkTest, RotatesBySizeKeepsSoManyAndLosesNothingInBetween) {
    options_.rotate_bytes = 1000;
    options_.keep = 3;
    auto sink = open();
    ASSERT_EQ(sink->deliver(events(1, 40, 20)).value(), 40U);
    const auto kept = sequences();
    ASSERT_FALSE(kept.empty());
    EXPECT_EQ(kept, range(kept.front(), 40));
    EXPECT_TRUE(fs::exists(options_.file.native() + ".3"));
    EXPECT_FALSE(fs::exists(options_.file.native() + ".4"));
    for (const char* suffix : {"", ".1", ".2", ".3"}) {
        EXPECT_LE(content(suffix).size(), 1000U) << suffix;
    }
}

TEST_F(JsonlSinkTest, ResumesFromTheNewestRotatedFileWhenKilledInTheMiddleOfARotation) {
    options_.rotate_bytes = 1000;
    ASSERT_TRUE(open()->deliver(events(1, 20, 20)));
    // Killed between the rename and the making of the new file; then between making and writing.
    fs::remove(options_.file.native() + ".5");
    for (int number = 4; number >= 1; --number) {
        std::error_code ignored;
        fs::rename(fmt::format("{}.{}", options_.file.native(), number),
                   fmt::format("{}.{}", options_.file.native(), number + 1),
                   ignored);
    }
    fs::rename(options_.file, options_.file.native() + ".1");
    EXPECT_EQ(open()->resume().sequence, 20U);
    auto sink = open();
    EXPECT_EQ(sink->resume().sequence, 20U);
    ASSERT_TRUE(sink->deliver(events(18, 25, 20)));
    const auto kept = sequences();
    EXPECT_EQ(kept, range(kept.front(), 25));
}

TEST_F(JsonlSinkTest, BeginsAnewWhenTheFileIsDeletedReplacedOrCutUnderIt) {
    auto sink = open();
    ASSERT_TRUE(sink->deliver(events(1, 2)));
    fs::remove(options_.file);
    ASSERT_TRUE(sink->deliver(events(3, 4)));
    EXPECT_EQ(sequences(), range(3, 4));

    fs::rename(options_.file, options_.file.native() + ".moved");  // as logrotate does
    append("");
    ASSERT_TRUE(sink->deliver(events(5, 6)));
    EXPECT_EQ(sequences(), range(5, 6));

    fs::resize_file(options_.file, 0);  // as logrotate's copytruncate does
    ASSERT_TRUE(sink->deliver(events(7, 7)));
    EXPECT_EQ(sequences(), range(7, 7));

    append(R"({"torn by somebody)");
    ASSERT_TRUE(sink->deliver(events(8, 8)));
    EXPECT_EQ(sequences(), range(7, 8));
}

TEST_F(JsonlSinkTest, BeginsAnewWhenTheWholeFolderWasReplaced) {
    auto sink = open();
    ASSERT_TRUE(sink->deliver(events(1, 2)));
    fs::remove_all(folder_);
    EXPECT_FALSE(sink->deliver(events(3, 3)));
    fs::create_directory(folder_);
    EXPECT_TRUE(sink->deliver(events(3, 3)));
    EXPECT_EQ(sequences(), range(3, 3));
}

TEST_F(JsonlSinkTest, RefusesWhatIsNotARegularFile) {
    ASSERT_EQ(::mkfifo(options_.file.c_str(), 0600), 0);
    EXPECT_FALSE(JsonlSink::open(options_));
    fs::remove(options_.file);
    fs::create_symlink("/dev/null", options_.file);
    EXPECT_FALSE(JsonlSink::open(options_));
}

TEST_F(JsonlSinkTest, TruncatesAShortWriteOnAFullDiskAndGoesOnWhenThereIsSpace) {
    if (::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=64k") != 0) {
        GTEST_SKIP() << "needs the right to mount a tmpfs: "
                     << fail_errno("mount").error().message();
    }
    mounted_ = true;
    auto sink = open();
    ASSERT_TRUE(sink->deliver(events(1, 3)));
    std::ofstream(folder_ / "filler") << std::string(40'000, 'f');
    const auto refused = sink->deliver(events(4, 30, 4000));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, std::errc::no_space_on_device);
    EXPECT_EQ(sequences(), range(1, 3));
    fs::remove(folder_ / "filler");
    EXPECT_EQ(sink->deliver(events(4, 10, 4000)).value(), 10U);
    EXPECT_EQ(sequences(), range(1, 10));
}

}  // namespace
}  // namespace vigia::sinks
