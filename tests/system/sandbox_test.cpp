// SPDX-License-Identifier: GPL-2.0-or-later
// links: vigia_scand
// The real vigia-scand and vigia-hash, seen from where the daemon stands: issue 2, case 6, and
// hard-parts 5, 11, 12.
#include "base/sandbox.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/clock.h"
#include "base/seqpacket.h"
#include "scand/engines/clamav/engine.h"
#include "support/playground.h"
#include "support/process.h"
#include "support/scan_child.h"
#include "support/scan_samples.h"

namespace vigia::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kScanUser = "nobody";
constexpr auto kNoSuchUser = "vigia-no-such-user";
constexpr std::uint32_t kInfected = 1;
constexpr std::uint32_t kError = 2;
constexpr int kFewestAttempts = 100;

std::filesystem::path scand() {
    return std::filesystem::path(VIGIA_BIN_DIR) / "vigia-scand";
}

// Definitions below a folder that the scan user could never get to by name.
class Sandbox : public testing::Test {
protected:
    void SetUp() override {
        write_definitions(definitions_);
        std::filesystem::permissions(playground_.root(), std::filesystem::perms::owner_all);
    }

    [[nodiscard]] std::filesystem::path write(const std::string& name,
                                              const std::string& content) const {
        auto path = playground_.root() / name;
        write_file(path, content);
        return path;
    }

    [[nodiscard]] ScanZygote loaded(const ScanZygote::Options& options) const {
        ScanZygote zygote(options);
        const auto answer = zygote.load({definitions_});
        const auto* failure = std::get_if<wire::LoadFailed>(&answer);
        EXPECT_EQ(failure, nullptr) << failure->message;
        return zygote;
    }

    Playground playground_;
    std::filesystem::path definitions_ = playground_.root() / "definitions";
};

bool ended(int pidfd, std::chrono::milliseconds timeout) {
    pollfd watched{.fd = pidfd, .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, static_cast<int>(timeout.count())) == 1;
}

// Everything about a file that a read-only descriptor must not be able to change.
struct Appearance {
    mode_t mode;
    uid_t owner;
    gid_t group;
    off_t size;
    timespec modified;
    timespec changed;
    ssize_t attributes;
};

Appearance look_at(const std::filesystem::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return {.mode = status.st_mode,
            .owner = status.st_uid,
            .group = status.st_gid,
            .size = status.st_size,
            .modified = status.st_mtim,
            .changed = status.st_ctim,
            .attributes = ::listxattr(path.c_str(), nullptr, 0)};
}

void expect_same(const Appearance& before, const Appearance& after) {
    EXPECT_EQ(before.mode, after.mode);
    EXPECT_EQ(before.owner, after.owner);
    EXPECT_EQ(before.group, after.group);
    EXPECT_EQ(before.size, after.size);
    EXPECT_EQ(before.modified.tv_nsec, after.modified.tv_nsec);
    EXPECT_EQ(before.changed.tv_sec, after.changed.tv_sec);
    EXPECT_EQ(before.changed.tv_nsec, after.changed.tv_nsec);
    EXPECT_EQ(before.attributes, after.attributes);
}

int number_held(const std::string& text) {
    constexpr std::string_view kHeld = "HELD:";
    return text.starts_with(kHeld) ? std::stoi(text.substr(kHeld.size())) : -1;
}

void expect_held(const ScanWorker& worker, const std::filesystem::path& file) {
    const auto before = look_at(file);
    const auto proof = worker.scan(file);
    ASSERT_TRUE(proof) << "an attempt killed the worker";
    EXPECT_EQ(proof->outcome, kError);
    EXPECT_GE(number_held(proof->text), kFewestAttempts) << proof->text;
    expect_same(before, look_at(file));
}

// In a thread whose calls of landlock_create_ruleset are answered as by a kernel without Landlock;
// it outlives the children, which inherit that and die with it.
void on_a_kernel_without_landlock(const std::function<void()>& body) {
    std::thread([&] {
        auto* const filter = ::seccomp_init(SCMP_ACT_ALLOW);
        ASSERT_EQ(::seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0), 0);
        ASSERT_EQ(::seccomp_rule_add(
                      filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0),
                  0);
        ASSERT_EQ(::seccomp_load(filter), 0);
        ::seccomp_release(filter);
        body();
    }).join();
}

TEST_F(Sandbox, LoadsFromAFolderItsUserCannotReachAndDetects) {
    ScanZygote zygote({.program = scand()});
    const auto answer = zygote.load({definitions_});
    ASSERT_TRUE(std::holds_alternative<wire::Loaded>(answer));
    const auto& loaded = std::get<wire::Loaded>(answer);
    EXPECT_EQ(loaded.signatures, 3U);
    EXPECT_EQ(loaded.built_unix, 0);
    EXPECT_TRUE(loaded.version.starts_with("1.")) << loaded.version;
    EXPECT_TRUE(loaded.sandbox.starts_with("seccomp, landlock abi ")) << loaded.sandbox;
    EXPECT_TRUE(loaded.sandbox.ends_with(", namespaces")) << loaded.sandbox;

    const auto worker = zygote.spawn(0);
    const auto infected = worker.scan(write("eicar", eicar()));
    ASSERT_TRUE(infected);
    EXPECT_EQ(infected->outcome, kInfected);
    EXPECT_EQ(infected->text, "Eicar-Test-Signature.UNOFFICIAL");
    const auto clean = worker.scan(write("clean", "nothing to see"));
    ASSERT_TRUE(clean);
    EXPECT_EQ(clean->outcome, 0U);
}

TEST_F(Sandbox, ZygoteAndWorkersAreTheScanUserWithoutAnyPrivilege) {
    for (const auto& [user, uid] : {std::pair{kScanUser, "65534"}, std::pair{kNoSuchUser, "0"}}) {
        auto zygote = loaded({.program = scand(), .user = user});
        const auto worker = zygote.spawn(1);
        for (const pid_t pid : {zygote.process().pid(), worker.pid}) {
            const std::string id(uid);
            EXPECT_EQ(status_of(pid, "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
            for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
                EXPECT_EQ(status_of(pid, set), "0000000000000000") << set;
            }
            EXPECT_EQ(status_of(pid, "NoNewPrivs"), "1");
            EXPECT_EQ(status_of(pid, "Seccomp"), "2");
            EXPECT_EQ(status_of(pid, "Threads"), "1");
        }
    }
}

TEST_F(Sandbox, HoldsAgainstEveryAttemptFromInsideAsScanUserAndAsRoot) {
    const auto roots_file = write("escape-root", hook_marker("ESCAPE"));
    const auto own_file = write("escape-own", hook_marker("ESCAPE"));
    const auto user = sandbox::find_user(kScanUser);
    ASSERT_TRUE(user && *user);
    ASSERT_EQ(::chown(own_file.c_str(), (*user)->uid, (*user)->gid), 0);
    for (const auto* name : {kScanUser, kNoSuchUser}) {
        SCOPED_TRACE(name);
        auto zygote = loaded({.program = scand(), .user = name});
        const auto worker = zygote.spawn(0);
        expect_held(worker, roots_file);
        expect_held(worker, own_file);
        const auto afterwards = worker.scan(write("eicar", eicar()));
        EXPECT_TRUE(afterwards && afterwards->outcome == kInfected);
    }
}

TEST_F(Sandbox, HoldsWithoutLandlockByTheEmptyRoot) {
    on_a_kernel_without_landlock([&] {
        ScanZygote zygote({.program = scand()});
        const auto answer = zygote.load({definitions_});
        ASSERT_TRUE(std::holds_alternative<wire::Loaded>(answer));
        EXPECT_EQ(std::get<wire::Loaded>(answer).sandbox, "seccomp, no landlock, namespaces");
        const auto proof = zygote.spawn(0).scan(write("escape", hook_marker("ESCAPE")));
        ASSERT_TRUE(proof);
        // The folders of two workers are one user's: that alone only Landlock keeps apart.
        EXPECT_TRUE(proof->text == "ESCAPED:open_neighbour" || proof->text.starts_with("HELD:"))
            << proof->text;
    });
}

TEST_F(Sandbox, VerdictsInsideAreThoseOutside) {
    auto files = clamav_test_files();
    if (files.empty()) {
        GTEST_SKIP() << "Debian's clamav-testfiles are not installed";
    }
    ASSERT_GE(files.size(), 44U);
    const auto payload = read_text(files.front().parent_path() / "clam.exe");
    files.push_back(write("utf16be.html", utf16be(sample_html())));
    files.push_back(write("utf16le.html", utf16le(sample_html())));
    files.push_back(write("sample.rar", stored_rar("clam.exe", payload)));
    files.push_back(write("clean", "nothing to see"));

    auto zygote = loaded({.program = scand()});
    const auto worker = zygote.spawn(0);
    const auto temporary = playground_.root() / "outside";
    std::filesystem::create_directory(temporary);
    ASSERT_TRUE(scand::Engine::initialise());
    auto outside = scand::Engine::load(std::array{definitions_.native()}, temporary.native());
    ASSERT_TRUE(outside) << outside.error().message;
    std::size_t infected = 0;
    for (const auto& file : files) {
        const auto opened = open_to_read(file);
        const auto expected =
            outside->scan({.file = opened.get(), .size = std::filesystem::file_size(file)});
        const auto found = worker.scan(opened.get());
        ASSERT_TRUE(found) << file;
        EXPECT_EQ(found->outcome, expected.outcome) << file << found->text << expected.text;
        EXPECT_EQ(found->text, expected.text) << file;
        EXPECT_EQ(found->limit_hit, expected.limit_hit) << file;
        infected += found->outcome == kInfected ? 1 : 0;
    }
    // All but the clean one, and the RAR where libclamunrar (non-free) is not installed.
    EXPECT_GE(infected, files.size() - 2);
}

TEST_F(Sandbox, ACrashCostsOneWorkerAndTheNextIsThereAtOnce) {
    auto zygote = loaded({.program = scand()});
    const auto bystander = zygote.spawn(1);
    const auto victim = zygote.spawn(0);
    EXPECT_FALSE(victim.scan(write("crash", hook_marker("CRASH"))));
    const auto died = BootClock::now();
    const auto told = zygote.next();
    ASSERT_TRUE(told && std::holds_alternative<wire::WorkerEnded>(*told));
    const auto& end = std::get<wire::WorkerEnded>(*told);
    EXPECT_EQ(end.slot, 0U);
    EXPECT_EQ(end.pid, victim.pid);
    EXPECT_TRUE(WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGSEGV);

    const auto next = zygote.spawn(0);
    const auto verdict = next.scan(write("eicar", eicar()));
    const auto took = BootClock::now() - died;
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->outcome, kInfected);
    EXPECT_LT(took, 5s);
    RecordProperty("death_to_next_verdict", to_text(took));
    const auto other = bystander.scan(write("eicar", eicar()));
    EXPECT_TRUE(other && other->outcome == kInfected);
}

TEST_F(Sandbox, AKilledWorkersSlotCanBeHadAgainAtOnce) {
    auto zygote = loaded({.program = scand()});
    const auto hanging = zygote.spawn(0);
    EXPECT_FALSE(hanging.scan(write("hang", hook_marker("HANG")), 200ms));
    ASSERT_EQ(::kill(hanging.pid, SIGKILL), 0);
    auto ends = seqpacket::pair();
    ASSERT_TRUE(ends);
    const wire::ToZygote order = wire::SpawnWorker{.slot = 0};
    ASSERT_TRUE(seqpacket::send(
        zygote.socket().get(), wire::encode(order), std::array{ends->second.get()}, 1s));
    const auto first = zygote.next();
    const auto second = zygote.next();
    EXPECT_TRUE(first && std::holds_alternative<wire::WorkerEnded>(*first));
    EXPECT_TRUE(second && std::holds_alternative<wire::WorkerStarted>(*second));
}

TEST_F(Sandbox, BadAndMissingDefinitionsAreToldWithFileAndReason) {
    const auto bad = playground_.root() / "bad";
    write_definitions(bad);
    write_file(bad / "broken.ndb", "this is no signature\n");
    ScanZygote first({.program = scand()});
    const auto rejected = first.load({definitions_, bad});
    ASSERT_TRUE(std::holds_alternative<wire::LoadFailed>(rejected));
    const auto& failure = std::get<wire::LoadFailed>(rejected);
    EXPECT_EQ(wire::kLoadFailures.at(failure.cause), "definitions-rejected");
    EXPECT_EQ(failure.file, "broken.ndb");
    EXPECT_TRUE(failure.message.contains("line 1")) << failure.message;
    EXPECT_FALSE(failure.message.contains("/definitions/")) << failure.message;

    const auto empty = playground_.root() / "empty";
    std::filesystem::create_directory(empty);
    ScanZygote second({.program = scand()});
    const auto nothing = second.load({empty});
    ASSERT_TRUE(std::holds_alternative<wire::LoadFailed>(nothing));
    EXPECT_EQ(wire::kLoadFailures.at(std::get<wire::LoadFailed>(nothing).cause), "no-definitions");

    ScanZygote third({.program = scand()});
    EXPECT_TRUE(std::holds_alternative<wire::Loaded>(third.load({empty, definitions_})));
}

TEST_F(Sandbox, WhatIsNotInTheMessageTableEndsTheChild) {
    auto zygote = loaded({.program = scand()});
    const auto worker = zygote.spawn(0);
    const auto without_file = wire::encode(wire::ScanFile{.id = 1, .size = 1, .archives = 1});
    ASSERT_TRUE(seqpacket::send(worker.socket.get(), without_file, {}, 1s));
    EXPECT_TRUE(ended(worker.pidfd.get(), 10s));
    const auto told = zygote.next();
    EXPECT_TRUE(told && std::holds_alternative<wire::WorkerEnded>(*told));

    const std::array garbage{std::byte{1}, std::byte{2}};
    ASSERT_TRUE(seqpacket::send(zygote.socket().get(), garbage, {}, 1s));
    EXPECT_TRUE(zygote.process().wait(10s).has_value());
}

TEST_F(Sandbox, NobodyOutlivesTheDaemonOrTheZygote) {
    auto closing = loaded({.program = scand()});
    const auto worker = closing.spawn(0);
    closing.socket().reset();
    EXPECT_EQ(closing.process().wait(10s), std::optional{0});
    EXPECT_TRUE(ended(worker.pidfd.get(), 10s));

    auto killed = loaded({.program = scand()});
    const auto orphan = killed.spawn(0);
    killed.process().kill(SIGKILL);
    EXPECT_TRUE(ended(orphan.pidfd.get(), 10s));
}

TEST_F(Sandbox, WhatDoesNotFitIntoTheTemporarySpaceIsNeverSimplyClean) {
    const auto inner = write("zeros", std::string(std::size_t{8} << 20U, '\0') + eicar());
    const auto packed = playground_.root() / "zeros.gz";
    ASSERT_EQ(
        run("/bin/sh", {"-c", "gzip -c '" + inner.native() + "' > '" + packed.native() + "'"}).exit,
        0);
    auto zygote = loaded({.program = scand(), .temporary_space = std::uint64_t{1} << 20U});
    const auto worker = zygote.spawn(0);
    const auto verdict = worker.scan(packed);
    ASSERT_TRUE(verdict);
    EXPECT_TRUE(verdict->outcome != 0 || verdict->limit_hit == 1)
        << "outcome " << verdict->outcome << " " << verdict->text;
    const auto next = worker.scan(write("eicar", eicar()));
    EXPECT_TRUE(next && next->outcome == kInfected) << "the space was not given back";
}

TEST_F(Sandbox, TheReleaseBuildHasNoTestHooks) {
    const auto program = std::filesystem::path(VIGIA_RELEASE_BIN_DIR) / "vigia-scand";
    if (!std::filesystem::exists(program)) {
        GTEST_SKIP() << program << " has not been built";
    }
    auto zygote = loaded({.program = program});
    const auto worker = zygote.spawn(0);
    for (const auto* word : {"CRASH", "ESCAPE"}) {
        const auto verdict = worker.scan(write(word, hook_marker(word)));
        ASSERT_TRUE(verdict) << word;
        EXPECT_EQ(verdict->outcome, 0U) << verdict->text;
    }
}

}  // namespace
}  // namespace vigia::test
