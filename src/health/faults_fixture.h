// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "model/facts.h"

// Facts for the tests of faults, to be changed by each.
namespace vigia::health {

// A machine on which nothing is wrong.
inline Facts sound() {
    using namespace std::chrono_literals;
    Facts facts{.now = BootTime{} + 100h, .wall = WallTime{} + 1000h, .started = BootTime{} + 90h};
    facts.scan_user.user_exists = Fact<bool>::known(true, "etc/passwd");
    facts.scan_user.group_exists = Fact<bool>::known(true, "etc/group");
    facts.scan_user.running_as = "vigia-scan";
    facts.scan.state = "ready";
    facts.scan.workers_ready = 2;
    facts.scan.definitions = "0123456789abcdef";
    facts.scan.sandbox_known = facts.scan.seccomp = facts.scan.landlock = true;
    facts.scan.sandbox_detail = "seccomp, landlock abi 7, namespaces";
    facts.files.known = true;
    facts.files.watched = 3;
    facts.storage.known = true;
    facts.self_test = Facts::SelfTest{.ok = true};
    facts.kernel.release = Fact<std::string>::known("6.1.0-13-amd64", "osrelease");
    facts.kernel.has_btf = Fact<bool>::known(true, "vmlinux");
    facts.kernel.has_headers = Fact<bool>::known(false, "build");
    facts.kernel.carried = {"files", "processes", "network"};
    facts.kernel.headers_package = "linux-headers-6.1.0-13-amd64";
    facts.kernel.install_headers_command = "apt-get install -y linux-headers-6.1.0-13-amd64";
    facts.selinux.state = Fact<std::string>::known("enforcing", "enforce");
    facts.selinux.allows_bpf = Fact<bool>::known(true, "kernel");
    facts.selinux.tools_package = "policycoreutils";
    facts.selinux.module_command = "semodule -i /usr/share/vigia/selinux/vigia-bpf.pp";
    facts.other_scanners = Fact<std::vector<Facts::OtherScanner>>::known({}, "proc");
    facts.programs.tried = true;
    facts.installation = {.known = true,
                          .manifest = "/usr/lib/vigia/manifest.sha256",
                          .files = 12,
                          .reinstall_command = "apt-get install -y --reinstall vigia"};
    facts.overload.known = true;
    return facts;
}

inline Facts::Crash crash(std::chrono::nanoseconds ago) {
    const auto facts = sound();
    return {.at = facts.now - ago,
            .wall = facts.wall - ago,
            .how = "signal 11 (Segmentation fault)",
            .path = "/srv/x",
            .size = 12};
}

}  // namespace vigia::health
