// SPDX-License-Identifier: GPL-2.0-or-later
// The built-in signatures before the real engine.
#include "definitions/builtin.h"

#include <clamav.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/unique_fd.h"
#include "definitions/signatures.h"

namespace vigia::definitions {
namespace {

namespace fs = std::filesystem;

class BuiltIn : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(cl_init(CL_INIT_DEFAULT), CL_SUCCESS);
        engine_.reset(cl_engine_new());
        ASSERT_TRUE(engine_);
        std::string pattern = (fs::temp_directory_path() / "vigia-builtin-XXXXXX").native();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        ASSERT_TRUE(replace_file(folder_ / kBuiltinFile, builtin_signatures(), 0644));
        unsigned signatures = 0;
        const auto loaded = cl_load(folder_.c_str(), engine_.get(), &signatures, CL_DB_STDOPT);
        ASSERT_EQ(loaded, CL_SUCCESS) << cl_strerror(loaded);
        ASSERT_EQ(signatures, 2U);
        ASSERT_EQ(cl_engine_compile(engine_.get()), CL_SUCCESS);
    }

    void TearDown() override { fs::remove_all(folder_); }

    // The threat's name; empty: clean.
    [[nodiscard]] std::string scan(std::string_view content) const {
        const UniqueFd file(::memfd_create("content", MFD_CLOEXEC));
        EXPECT_TRUE(write_all(file.get(), content));
        const char* threat = nullptr;
        unsigned long scanned = 0;
        cl_scan_options options{};
        options.parse = ~0U;
        const auto result =
            cl_scandesc(file.get(), "content", &threat, &scanned, engine_.get(), &options);
        EXPECT_TRUE(result == CL_CLEAN || result == CL_VIRUS) << cl_strerror(result);
        return result == CL_VIRUS ? threat : "";
    }

    std::unique_ptr<cl_engine, decltype([](cl_engine* engine) { cl_engine_free(engine); })> engine_;
    fs::path folder_;
};

// A tar archive with one file in it (POSIX ustar).
std::string tar_of(std::string_view content) {
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, std::string_view text) {
        header.replace(at, text.size(), text);
    };
    put(0, "inside.txt");
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, fmt::format("{:011o}", content.size()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257,
        std::string_view("ustar\0"
                         "00",
                         8));
    unsigned sum = 0;
    for (const char c : header) {
        sum += static_cast<unsigned char>(c);
    }
    put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
    std::string body(content);
    body.resize((body.size() + 511) / 512 * 512);
    return header + body + std::string(1024, '\0');
}

TEST_F(BuiltIn, TheEicarTestFileIsFoundAlsoWithWhiteSpaceBehindIt) {
    const auto eicar = eicar_content();
    ASSERT_EQ(eicar.size(), 68U);
    ASSERT_TRUE(eicar.starts_with("X5O!P%@AP") && eicar.ends_with("$H+H*"));
    for (const auto& content : {eicar, eicar + "\n", eicar + "\r\n  \t" + std::string(40, ' ')}) {
        EXPECT_EQ(scan(content), "Eicar-Test-Signature.UNOFFICIAL");
    }
}

TEST_F(BuiltIn, TheEicarTestFileIsFoundInsideAnArchive) {
    EXPECT_EQ(scan(tar_of(eicar_content())), "Eicar-Test-Signature.UNOFFICIAL");
    EXPECT_EQ(scan(tar_of("nothing to see")), "");
}

TEST_F(BuiltIn, TheCanaryIsFoundWithWhateverFollowsIt) {
    EXPECT_EQ(scan(canary_content()), "Vigia.Canary.UNOFFICIAL");
    EXPECT_EQ(scan(canary_content() + "0b7c\n"), "Vigia.Canary.UNOFFICIAL");
}

TEST_F(BuiltIn, WhatOnlyMentionsThemIsClean) {
    EXPECT_EQ(scan(eicar_content().substr(0, 67) + "x"), "");
    EXPECT_EQ(scan("see: " + eicar_content()), "");
    EXPECT_EQ(scan("see: " + canary_content()), "");
    EXPECT_EQ(scan(builtin_signatures()), "");
}

TEST_F(BuiltIn, ThisProgramIsCleanItself) {
    const auto own = read_file("/proc/self/exe", std::size_t{256} << 20U);
    ASSERT_TRUE(own);
    EXPECT_EQ(own->find(eicar_content()), std::string::npos);
    EXPECT_EQ(own->find(canary_content()), std::string::npos);
}

}  // namespace
}  // namespace vigia::definitions
