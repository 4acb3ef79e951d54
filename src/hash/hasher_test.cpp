// SPDX-License-Identifier: GPL-2.0-or-later
#include "hash/hasher.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/files.h"
#include "base/unique_fd.h"

namespace vigia::hash {
namespace {

UniqueFd memory_file(const std::string& content) {
    UniqueFd file{::memfd_create("hasher-test", MFD_CLOEXEC)};
    EXPECT_TRUE(write_all(file.get(), content));
    return file;
}

TEST(Hasher, GivesTheDigestsOfTheStandard) {
    auto hasher = Hasher::create();
    ASSERT_TRUE(hasher);
    const auto hex_of = [&](const std::string& content) {
        const auto file = memory_file(content);
        const auto done = hasher->hash(file.get());
        EXPECT_EQ(done.error, 0);
        EXPECT_EQ(done.size, content.size());
        return done.sha256.hex();
    };
    // FIPS 180-2, appendix B.
    EXPECT_EQ(hex_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex_of(std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hasher, LeavesThePositionAloneAndStartsAtTheBeginning) {
    auto hasher = Hasher::create();
    ASSERT_TRUE(hasher);
    const auto file = memory_file("abc");
    ASSERT_EQ(::lseek(file.get(), 2, SEEK_SET), 2);
    EXPECT_EQ(hasher->hash(file.get()).sha256.hex().substr(0, 8), "ba7816bf");
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 2);
}

TEST(Hasher, AFileThatCannotBeReadHasAnErrorAndNoDigest) {
    auto hasher = Hasher::create();
    ASSERT_TRUE(hasher);
    const auto done = hasher->hash(-1);
    EXPECT_EQ(done.error, EBADF);
    EXPECT_EQ(done.sha256, Sha256{});
    const auto next = memory_file("abc");
    EXPECT_EQ(hasher->hash(next.get()).error, 0);
}

}  // namespace
}  // namespace vigia::hash
