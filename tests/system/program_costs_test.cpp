// SPDX-License-Identifier: GPL-2.0-or-later
// Who costs what, what would help, and that it does: a real daemon, and shells under names of their
// own that write files when they are told to.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/text.h"
#include "support/watched_disk.h"

namespace vigia::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr unsigned kNobody = 65534;

// A shell that runs each line it is given, in a folder, and says when it is done.
class Writer {
public:
    Writer(const fs::path& shell, const fs::path& folder, unsigned uid = 0) {
        std::array<int, 2> orders{};
        std::array<int, 2> answers{};
        EXPECT_EQ(::pipe2(orders.data(), O_CLOEXEC), 0);
        EXPECT_EQ(::pipe2(answers.data(), O_CLOEXEC), 0);
        const UniqueFd their_orders(orders[0]);
        const UniqueFd their_answers(answers[1]);
        orders_ = UniqueFd(orders[1]);
        answers_ = UniqueFd(answers[0]);
        const auto script =
            fmt::format("cd {} && while read -r line; do eval \"$line\"; echo done; done",
                        shell_quoted(folder.native()));
        std::vector<std::string> arguments;
        if (uid != 0) {
            arguments = {fmt::format("--reuid={}", uid), "--clear-groups", "--", shell.native()};
        }
        arguments.insert(arguments.end(), {"-c", script});
        auto started =
            Subprocess::start({.program = uid != 0 ? fs::path("/usr/bin/setpriv") : shell,
                               .arguments = std::move(arguments),
                               .descriptors = {{their_orders.get(), 0}, {their_answers.get(), 1}}});
        EXPECT_TRUE(started) << (started ? "" : started.error().message());
        if (started) {
            process_ = std::move(*started);
        }
    }

    void run(const std::string& line) const {
        ASSERT_TRUE(write_all(orders_.get(), line + "\n"));
        std::array<char, 16> answer{};
        ASSERT_GT(::read(answers_.get(), answer.data(), answer.size()), 0) << line;
    }

    // Files that nobody has seen before: each is one for the engine.
    void write_files(int count) {
        run(
            fmt::format("i=0; while [ $i -lt {} ]; do echo \"$$ {} $i\" > f_$$_{}_$i; "
                        "i=$((i+1)); done",
                        count,
                        round_,
                        round_));
        ++round_;
    }

private:
    UniqueFd orders_;
    UniqueFd answers_;
    std::optional<Subprocess> process_;
    int round_ = 0;
};

class Programs : public WatchedDisk {
protected:
    Programs()
        : instance_(options("# a comment that stays\n[faults]\nself_heal = false  # owners are "
                            "ours to change\n")) {
        fs::create_directories(watched_ / "storm");
        fs::create_directories(watched_ / "drizzle");
        fs::create_directories(programs_);
        for (const auto& program : {storm_, drizzle_}) {
            fs::copy_file("/bin/dash", program);
        }
        // So that nobody can reach the program and the folder.
        EXPECT_EQ(::chmod(ground_.root().c_str(), 0755), 0);
        EXPECT_EQ(::chmod(disk_.c_str(), 0755), 0);
        EXPECT_EQ(::chown((watched_ / "drizzle").c_str(), kNobody, kNobody), 0);
    }

    [[nodiscard]] json row_of(const fs::path& program) const {
        const auto top = instance_.json({"top", "--once"});
        for (const auto& row : top.at("programs")) {
            if (row.at("path") == program.native()) {
                return row;
            }
        }
        return nullptr;
    }

    [[nodiscard]] std::uint64_t left_out(const std::string& kind) const {
        std::uint64_t sum = 0;
        const auto list = instance_.json({"exclusions", "list"});
        for (const auto& set : list.at("sets")) {
            for (const auto& rule : set.at("rules")) {
                sum += rule.at("kind") == kind ? rule.at("left_out").get<std::uint64_t>() : 0;
            }
        }
        return sum;
    }

    [[nodiscard]] std::uint64_t filtered(const std::string& reason) const {
        const auto status = instance_.status();
        for (const auto& one : status.at("accounting")) {
            if (one.at("class") == "file") {
                return one.at("filtered").value(reason, std::uint64_t{0});
            }
        }
        return 0;
    }

    [[nodiscard]] bool detected(const std::string& name) const {
        return std::ranges::any_of(instance_.events("2004"), [&](const json& event) {
            return event.dump().find(name) != std::string::npos;
        });
    }

    // As somebody would paste it.
    [[nodiscard]] static Output pasted(const std::string& command) {
        return run("/bin/sh",
                   {"-c",
                    fmt::format("PATH={}:$PATH; {}",
                                shell_quoted(dev_program("vigia").parent_path().native()),
                                command)});
    }

    [[nodiscard]] std::string policy_text() const {
        return read_text(instance_.path("etc/vigia/policy.toml"));
    }

    fs::path programs_ = ground_.root() / "programs";
    fs::path storm_ = programs_ / "storm";
    fs::path drizzle_ = programs_ / "driz'zle";
    Instance instance_;
};

TEST_F(Programs, TheBusiestComesFirstWithItsUserItsFolderAndTheCommandThatLeavesItOut) {
    ASSERT_TRUE(instance_.start());
    Writer storm(storm_, watched_ / "storm");
    Writer drizzle(drizzle_, watched_ / "drizzle", kNobody);
    json both;
    ASSERT_TRUE(eventually([&] {
        storm.write_files(100);
        drizzle.write_files(10);
        const auto top = instance_.json({"top", "--once"});
        json found = json::array();
        for (const auto& row : top.at("programs")) {
            const auto path = row.at("path").get<std::string>();
            if (path == storm_.native() || path == drizzle_.native()) {
                found.push_back(row);
            }
        }
        both = found;
        return found.size() == 2 && found[0].at("scans") > 0 && found[1].at("scans") > 0;
    }));
    EXPECT_EQ(both[0].at("path"), storm_.native());
    EXPECT_EQ(both[0].at("user"), "root");
    EXPECT_EQ(both[0].at("processes"), 1);
    EXPECT_EQ(both[0].at("writes").at(0), (watched_ / "storm").native());
    EXPECT_GT(both[0].at("events_per_second"), both[1].at("events_per_second"));
    EXPECT_GT(both[0].at("scan_seconds"), 0.0);
    EXPECT_GT(both[0].at("share"), both[1].at("share"));
    EXPECT_LE(both[0].at("share"), 1.0);
    EXPECT_EQ(both[1].at("user"), "nobody");
    EXPECT_EQ(both[1].at("path"), drizzle_.native());
    EXPECT_NE(both[0].at("exclusion").get<std::string>().find(" exclusions add busy-storm "),
              std::string::npos);
    const auto table = instance_.cli({"top", "--once", "--lang", "es"});
    EXPECT_EQ(table.exit, 0) << table.err;
    EXPECT_NE(table.out.find("PROGRAMA"), std::string::npos) << table.out;
    EXPECT_NE(table.out.find("storm"), std::string::npos) << table.out;
}

TEST_F(Programs, WhatIsSuggestedHelpsAtOnceIsExplainedCountedAndUndone) {
    ASSERT_TRUE(instance_.start());
    const auto pid = instance_.pid();
    const auto before = policy_text();
    Writer storm(storm_, watched_ / "storm");
    std::string command;
    ASSERT_TRUE(eventually([&] {
        storm.write_files(50);
        const auto all = instance_.json({"exclusions", "suggest"});
        for (const auto& one : all.at("suggestions")) {
            if (one.at("rule").at("kind") == "process" && one.at("program") == storm_.native()) {
                command = one.at("command");
                return true;
            }
        }
        return false;
    }));
    const auto file = watched_ / "storm/x";
    EXPECT_EQ(
        instance_.cli({"exclusions", "test", file, "--process", storm_, "--user", "root"}).exit, 1);
    const auto applied = pasted(command);
    ASSERT_EQ(applied.exit, 0) << command << "\n" << applied.out << applied.err;
    EXPECT_TRUE(policy_text().starts_with(before)) << policy_text();

    ASSERT_TRUE(eventually([&] {
        storm.write_files(20);
        return left_out("process") > 20;
    }));
    EXPECT_GT(filtered("excluded-process"), 0U);
    const auto why =
        instance_.json({"exclusions", "test", file, "--process", storm_, "--user", "root"});
    EXPECT_EQ(why.at("excluded"), true);
    EXPECT_EQ(why.at("set"), "busy-storm");
    EXPECT_EQ(why.at("rule"), fmt::format("process {}, user root", storm_.native()));
    EXPECT_NE(why.at("why").get<std::string>().find("% of the load"), std::string::npos);
    // Everybody else is watched as before, the same program of another user too.
    EXPECT_EQ(instance_.cli({"exclusions", "test", file, "--process", storm_, "--user", "ci"}).exit,
              1);
    storm.run("printf '%s' " + shell_quoted(eicar_) + " > left.com");
    write_file(watched_ / "others.com", eicar_);
    ASSERT_TRUE(eventually([&] { return detected("others.com"); }));
    ASSERT_TRUE(eventually([&] { return instance_.settled(); }));
    EXPECT_FALSE(detected("left.com"));
    // It is left out, so nothing is suggested about it any more.
    ASSERT_TRUE(eventually([&] {
        storm.write_files(20);
        const auto row = row_of(storm_);
        return row.is_object() && row.at("exclusion") == "";
    }));

    const auto undone = instance_.cli(
        {"exclusions", "remove", "busy-storm", "--process", storm_, "--user", "root"});
    ASSERT_EQ(undone.exit, 0) << undone.err;
    EXPECT_EQ(policy_text(), before);
    storm.run("printf '%s' " + shell_quoted(eicar_) + " > seen.com");
    EXPECT_TRUE(eventually([&] { return detected("seen.com"); }));
    EXPECT_EQ(instance_.pid(), pid);
    ASSERT_EQ(instance_.wait(std::chrono::milliseconds{0}), std::nullopt);
}

// Whoever writes a file and then becomes an excluded program has not been that when it wrote.
TEST_F(Programs, BecomingAnExcludedProgramAfterwardsDoesNotHideAFile) {
    ASSERT_TRUE(instance_.start());
    ASSERT_EQ(
        instance_.cli({"exclusions", "add", "ours", "--process", storm_, "--reason", "trusted"})
            .exit,
        0);
    for (int i = 0; i < 10; ++i) {
        const auto name = fmt::format("hidden{}.com", i);
        const auto content = eicar_ + std::string(static_cast<std::size_t>(i), ' ');
        const auto script = fmt::format("printf '%s' {} > {}; exec {} -c 'sleep 0.3; :'",
                                        shell_quoted(content),
                                        shell_quoted((watched_ / "storm" / name).native()),
                                        shell_quoted(storm_.native()));
        ASSERT_EQ(run(drizzle_, {"-c", script}).exit, 0);
        EXPECT_TRUE(eventually([&] { return detected(name); })) << name;
    }
    EXPECT_EQ(left_out("process"), 0U);
}

TEST_F(Programs, AnExcludedProgramsChildrenAreLeftOutWhereTheRuleSaysSo) {
    ASSERT_TRUE(instance_.start());
    ASSERT_EQ(instance_
                  .cli({"exclusions",
                        "add",
                        "ours",
                        "--process",
                        storm_,
                        "--children",
                        "--reason",
                        "trusted"})
                  .exit,
              0);
    Writer storm(storm_, watched_ / "storm");
    EXPECT_TRUE(eventually([&] {
        // One child that lives long enough to be met.
        storm.run(
            fmt::format("{} -c 'i=0; while [ $i -lt 5 ]; do echo $$ $i > c_$$_$i; "
                        "sleep 0.05; i=$((i+1)); done'",
                        shell_quoted(drizzle_.native())));
        return left_out("process") > 0;
    }));
}

TEST_F(Programs, FoldersAndExpiryCountAndEndLive) {
    ASSERT_TRUE(instance_.start());
    const auto folder = watched_ / "cache";
    fs::create_directories(folder);
    ASSERT_EQ(
        instance_
            .cli({"exclusions", "add", "cache", "--path", folder, "--reason", "it's a \"cache\""})
            .exit,
        0);
    write_file(folder / "one.com", eicar_);
    ASSERT_TRUE(eventually([&] { return left_out("path") > 0; }));
    EXPECT_FALSE(detected("one.com"));
    EXPECT_EQ(instance_.cli({"exclusions", "test", folder / "one.com"}).exit, 0);
    // The administrator lets it expire by hand: live as well.
    auto text = policy_text();
    const auto at = text.find("paths = [", text.find("[exclusions.cache]"));
    ASSERT_NE(at, std::string::npos);
    instance_.write_policy(text.insert(at, "expires = 2020-01-01\n"));
    ASSERT_TRUE(eventually(
        [&] { return instance_.cli({"exclusions", "test", folder / "one.com"}).exit == 1; }));
    EXPECT_EQ(instance_.json({"exclusions", "test", folder / "one.com"}).at("expired"), "cache");
    const auto listed = instance_.cli({"exclusions", "list"});
    EXPECT_NE(listed.out.find("EXPIRED"), std::string::npos) << listed.out;
    write_file(folder / "two.com", eicar_ + " ");
    EXPECT_TRUE(eventually([&] { return detected("two.com"); }));
}

TEST_F(Programs, AThreatInAnExclusionIsReportedWithItsRuleAndCounted) {
    ASSERT_TRUE(instance_.start());
    ASSERT_EQ(instance_
                  .cli({"exclusions",
                        "add",
                        "samples",
                        "--threat",
                        "Eicar-Test-Signature",
                        "--reason",
                        "test files"})
                  .exit,
              0);
    write_file(watched_ / "sample.com", eicar_);
    json found;
    ASSERT_TRUE(eventually([&] {
        for (const auto& event : instance_.events("2004")) {
            if (event.at("vigia").value("event", "") == "detected-in-exclusion") {
                found = event;
                return true;
            }
        }
        return false;
    }));
    EXPECT_EQ(found.at("vigia").at("detection").value("exclusion", ""),
              "samples: threat Eicar-Test-Signature");
    EXPECT_TRUE(fs::exists(watched_ / "sample.com"));
    EXPECT_GT(left_out("threat"), 0U);
}

TEST_F(Programs, ChangesKeepOwnerAndModeAndAreRootsAloneAndWrongOnesAreSaid) {
    ASSERT_TRUE(instance_.start());
    const auto file = instance_.path("etc/vigia/policy.toml");
    ASSERT_EQ(::chown(file.c_str(), 1, 4), 0);
    ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
    const auto add = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"exclusions", "add"});
        return instance_.cli(std::move(more));
    };
    EXPECT_EQ(add({"a", "--path", "/srv/a", "--reason", "r"}).exit, 0);
    struct stat info{};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, 1U);
    EXPECT_EQ(info.st_gid, 4U);
    EXPECT_EQ(info.st_mode & 07777U, 0640U);

    const auto before = policy_text();
    const auto exit_of = [&](std::vector<std::string> more) { return add(std::move(more)).exit; };
    EXPECT_EQ(exit_of({"a", "--path", "/srv/a"}), 1);  // there already
    EXPECT_EQ(exit_of({"b", "--path", "/srv/b"}), 2);
    EXPECT_EQ(exit_of({"b", "--path", "/srv/b", "--reason", ""}), 2);
    EXPECT_EQ(exit_of({"b", "--path", "/srv/\xff", "--reason", "r"}), 2);
    EXPECT_EQ(exit_of({"b", "--path", "/srv/b", "--reason", "r", "--expires", "2020-01-01"}), 2);
    EXPECT_EQ(exit_of({"b", "--path", "/srv/b", "--reason", "r", "--expires", "soon"}), 2);
    EXPECT_EQ(exit_of({"b\n[x]", "--path", "/srv/b", "--reason", "r"}), 2);
    EXPECT_EQ(exit_of({"b", "--path", "/srv/b", "--process", "/x", "--reason", "r"}), 2);
    EXPECT_EQ(exit_of({"b", "--reason", "r"}), 2);
    EXPECT_EQ(instance_.cli({"exclusions", "remove", "none", "--path", "/srv/b"}).exit, 1);
    EXPECT_EQ(policy_text(), before);
    EXPECT_EQ(exit_of({"b", "--path", "/srv/new\nline \"q\"", "--reason", "r"}), 0);
    EXPECT_EQ(instance_.cli({"exclusions", "test", "/srv/new\nline \"q\"/x"}).exit, 0);

    // The program lies where nobody else can go; its text is read by whoever starts it.
    const auto vigia = programs_ / "vigia";
    fs::copy_file(dev_program("vigia"), vigia);
    const auto as_nobody = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(),
                         {fmt::format("--reuid={}", kNobody),
                          "--clear-groups",
                          "--",
                          vigia.native(),
                          "--prefix",
                          instance_.path("").native()});
        return run("/usr/bin/setpriv", arguments);
    };
    EXPECT_EQ(as_nobody({"exclusions", "add", "c", "--path", "/srv/c", "--reason", "r"}).exit, 4);
    EXPECT_EQ(as_nobody({"exclusions", "list"}).exit, 4);
    EXPECT_EQ(as_nobody({"top", "--once"}).exit, 4);

    instance_.write_policy("[files]\nmode = 3\n");
    const auto refused = add({"c", "--path", "/srv/c", "--reason", "r"});
    EXPECT_EQ(refused.exit, 1);
    EXPECT_NE(refused.err.find("mistakes"), std::string::npos) << refused.err;
    EXPECT_EQ(policy_text(), "[files]\nmode = 3\n");
}

}  // namespace
}  // namespace vigia::test
