// SPDX-License-Identifier: GPL-2.0-or-later
// Twenty thousand files from eight processes at once.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/files.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;

using Burst = WatchedDisk;

TEST_F(Burst, ABurstByEightProcessesLeavesNothingBehind) {
    constexpr int kFiles = 20'000;
    constexpr int kWriters = 8;
    constexpr int kEvery = 100;  // one in so many is infected: 200
    Instance instance(options());
    ASSERT_TRUE(instance.start());
    std::vector<Subprocess> writers;
    // One process each, in folders made a moment before; every fourth infected file by rename,
    // every fourth through a mapping, every fourth by hard link, the rest written plainly.
    for (int writer = 0; writer < kWriters; ++writer) {
        auto started = Subprocess::start({.program = "/proc/self/exe",
                                          .arguments = {"--write-burst",
                                                        watched_.native(),
                                                        outside_.native(),
                                                        std::to_string(writer),
                                                        std::to_string(kFiles / kWriters),
                                                        std::to_string(kEvery)}});
        ASSERT_TRUE(started.has_value()) << started.error().message();
        writers.push_back(std::move(*started));
    }
    for (auto& writer : writers) {
        const auto status = writer.wait(std::chrono::seconds{120});
        ASSERT_TRUE(status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
    }
    const auto left = [&] {
        int infected = 0;
        for (const auto& entry : fs::recursive_directory_iterator(watched_)) {
            infected +=
                entry.is_regular_file() && entry.path().filename().native().starts_with("bad");
        }
        return infected;
    };
    EXPECT_TRUE(
        eventually([&] { return left() == 0 && instance.settled(); }, std::chrono::seconds{180}))
        << left() << " infected files left";
    EXPECT_EQ(in_vault(instance), static_cast<std::size_t>(kFiles / kEvery));
    int clean = 0;
    for (const auto& entry : fs::recursive_directory_iterator(watched_)) {
        if (entry.is_regular_file()) {
            ++clean;
        }
    }
    EXPECT_EQ(clean, kFiles - kFiles / kEvery);

    const auto accounting = instance.status().at("accounting").at(0);
    EXPECT_EQ(accounting.at("class"), "file");
    EXPECT_FALSE(accounting.at("exact").get<bool>());
    EXPECT_GT(accounting.at("offered"), 0);
    if (accounting.at("overflows") > 0) {
        EXPECT_TRUE(accounting.at("lost").is_null());
        EXPECT_GT(accounting.at("recovered"), 0);
    } else {
        EXPECT_EQ(accounting.at("lost"), 0);
    }
}

}  // namespace

// The burst's writer: this very program, started again.
static int write_burst(char** arguments) {
    const fs::path watched = arguments[0];
    const fs::path outside = arguments[1];
    const int writer = std::atoi(arguments[2]);
    const int files = std::atoi(arguments[3]);
    const int every = std::atoi(arguments[4]);
    const auto eicar = definitions::eicar_content();
    constexpr int kPerFolder = 50;
    for (int i = 0; i < files; ++i) {
        const auto folder = watched / fmt::format("w{}/d{}", writer, i / kPerFolder);
        if (i % kPerFolder == 0) {
            fs::create_directories(folder);
        }
        const auto name = fmt::format("{}-{}", writer, i);
        if (i % every != 0) {
            write_file(folder / ("good" + name), "clean content of file " + name + "\n");
            continue;
        }
        const auto bad = folder / ("bad" + name);
        const auto aside = outside / ("bad" + name);
        const int way = i / every % 5;
        if (way == 0) {
            write_file(bad, eicar);
        } else if (way == 1) {
            write_file(aside, eicar);
            fs::rename(aside, bad);
        } else if (way == 2) {
            write_file(aside, eicar);
            fs::create_hard_link(aside, bad);
        } else if (way == 3) {
            const auto mapped = open_at(AT_FDCWD, bad.c_str(), O_RDWR | O_CREAT, 0644);
            if (::ftruncate(mapped->get(), static_cast<off_t>(eicar.size())) < 0) {
                return 1;
            }
            void* memory =
                ::mmap(nullptr, eicar.size(), PROT_READ | PROT_WRITE, MAP_SHARED, mapped->get(), 0);
            std::memcpy(memory, eicar.data(), eicar.size());
            ::munmap(memory, eicar.size());
        } else {
            fs::create_directories(outside / ("folder" + name));
            write_file(outside / ("folder" + name) / ("bad" + name), eicar);
            fs::rename(outside / ("folder" + name), folder / ("folder" + name));
        }
    }
    return 0;
}

}  // namespace vigia::test

int main(int argc, char** argv) {
    constexpr int kBurstArguments = 7;
    if (argc == kBurstArguments && std::string_view(argv[1]) == "--write-burst") {
        return vigia::test::write_burst(argv + 2);
    }
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
