// SPDX-License-Identifier: GPL-2.0-or-later
// Events as they arrive in the systemd journal: a journald of the test's own, in a mount namespace.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <sstream>

#include "base/subprocess.h"
#include "health/catalogue.h"
#include "model/message_id.h"
#include "support/faults.h"
#include "support/instance.h"
#include "support/playground.h"
#include "support/process.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kJournald = "/lib/systemd/systemd-journald";

// The folders and files that journald and journalctl have at fixed places are the test's own, in
// the namespace of its playground. One test in this program: what is laid over stays until it ends.
class Journald : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(fs::exists(kJournald)) << "package systemd is not installed";
        for (const char* folder :
             {"run/systemd", "run/log", "usr/lib/systemd/catalog", "var/lib/systemd/catalog"}) {
            const auto own = ground_.root() / "own" / folder;
            fs::create_directories(own);
            fs::create_directories(fs::path("/") / folder);
            ASSERT_EQ(
                ::mount(own.c_str(), (fs::path("/") / folder).c_str(), nullptr, MS_BIND, nullptr),
                0)
                << folder;
        }
        fs::create_directories("/run/systemd/journal");
        fs::create_directories("/run/log/journal");
        lay("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        // Neither the kernel's messages nor its audit are any of the test's business.
        lay("/etc/systemd/journald.conf",
            "[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nForwardToSyslog=no\n");
        const auto catalogs =
            fs::path(dev_program("vigia")).parent_path().parent_path() / "catalog";
        for (const auto& catalog : fs::directory_iterator(catalogs)) {
            fs::copy_file(catalog.path(), "/usr/lib/systemd/catalog" / catalog.path().filename());
        }
    }

    void TearDown() override {
        if (journald_) {
            journald_->kill(SIGTERM);
            EXPECT_TRUE(journald_->wait(std::chrono::seconds{20}));
        }
    }

    void start_journald() {
        auto started = Subprocess::start({.program = kJournald, .arguments = {}});
        ASSERT_TRUE(started) << started.error().message();
        journald_.emplace(*std::move(started));
        ASSERT_TRUE(eventually([] { return fs::exists("/run/systemd/journal/socket"); }));
    }

    void lay(const char* place, const std::string& text) {
        const auto own = ground_.root() / "own" / fs::path(place).filename();
        write_file(own, text);
        ASSERT_EQ(::mount(own.c_str(), place, nullptr, MS_BIND, nullptr), 0) << place;
    }

    static std::vector<nlohmann::json> entries(const std::string& match) {
        std::vector<nlohmann::json> found;
        std::istringstream lines(
            run("/usr/bin/journalctl", {"-D", "/run/log/journal", "-o", "json", "-q", match}).out);
        for (std::string line; std::getline(lines, line);) {
            found.push_back(nlohmann::json::parse(line));
        }
        return found;
    }

    Playground ground_;
    std::optional<Subprocess> journald_;
};

TEST_F(Journald, FaultsAreInTheJournalAndExplainedByItsCatalogue) {
    const auto compiled = run("/usr/bin/journalctl", {"--update-catalog"});
    ASSERT_EQ(compiled.exit, 0) << compiled.err;
    EXPECT_EQ(compiled.err, "") << "a line of the catalogue was refused";

    const auto watched = ground_.tmpfs("disk", "size=16m") / "watched";
    fs::create_directories(watched);
    Instance instance({.prefix = ground_.root() / "p",
                       .watch = {watched.native()},
                       .more = "[faults]\noverrides = [{ id = 103, raise_after = \"1s\" }]\n"
                               "[[sinks]]\nkind = \"journald\"\n"});
    ASSERT_TRUE(instance.start()) << "a journald that is not there must not stop it";
    ASSERT_TRUE(eventually([&] { return cause_of(instance, 103) == "sink-unreachable"; }))
        << instance.cli({"faults"}).out;
    ASSERT_NO_FATAL_FAILURE(start_journald());
    ASSERT_TRUE(eventually([&] { return cause_of(instance, 103).empty(); }))
        << instance.cli({"faults"}).out;
    ASSERT_TRUE(eventually([] { return !entries("VIGIA_EVENT=service-started").empty(); }))
        << "what happened before journald came is told afterwards";

    instance.write_policy("[files]\nwach = []\n");
    ASSERT_TRUE(eventually([] { return !entries("VIGIA_FAULT=105").empty(); }));
    const auto entry = entries("VIGIA_FAULT=105").at(0);
    EXPECT_EQ(entry.at("MESSAGE_ID"), message_id(105));
    EXPECT_EQ(entry.at("VIGIA_FAULT_KEY"), health::find_fault(105)->key);
    EXPECT_EQ(entry.at("SYSLOG_IDENTIFIER"), "vigia");

    const auto explained =
        run("/usr/bin/journalctl", {"-D", "/run/log/journal", "-x", "-q", "VIGIA_FAULT=105"}).out;
    EXPECT_THAT(explained,
                HasSubstr(std::string(health::find_fault(105)->title.in(Language::English))));
    EXPECT_THAT(explained, HasSubstr("vigia faults show 105"));
    const auto listed = run("/usr/bin/journalctl", {"--list-catalog"}).out;
    for (const auto* fault : health::catalogue()) {
        EXPECT_THAT(listed, HasSubstr(message_id(fault->id)));
    }

    // Taken out of the policy: given up at once, and nothing comes there any more.
    instance.write_policy(fmt::format("[files]\nwatch = [\"{}\"]\n", watched.native()));
    ASSERT_TRUE(eventually([&] { return cause_of(instance, 105).empty(); }));
    const auto before = entries("SYSLOG_IDENTIFIER=vigia").size();
    ASSERT_EQ(instance.cli({"selftest"}).exit, 0);
    ASSERT_EQ(instance.cli({"scan", watched.native()}).exit, 0);
    EXPECT_EQ(entries("SYSLOG_IDENTIFIER=vigia").size(), before);

    // Each event once, in order.
    std::uint64_t last = 0;
    for (const auto& one : entries("SYSLOG_IDENTIFIER=vigia")) {
        const auto sequence = std::stoull(one.at("VIGIA_SEQUENCE").get<std::string>());
        EXPECT_GT(sequence, last);
        last = sequence;
    }
    EXPECT_GT(last, 3U);
}

}  // namespace
}  // namespace vigia::test
