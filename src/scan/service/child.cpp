// SPDX-License-Identifier: GPL-2.0-or-later
#include "scan/service/child.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "base/seqpacket.h"

namespace vigia::scan::detail {

Result<Child> start_child(const std::filesystem::path& program, const std::string& user) {
    constexpr int kSocketInChild = 3;
    auto [ours, its] = TRY(seqpacket::pair());
    Subprocess::Options launch{
        .program = program,
        .arguments = {"--socket-fd", std::to_string(kSocketInChild), "--user", user},
        .descriptors = {{its.get(), kSocketInChild}}};
    if (::fcntl(STDERR_FILENO, F_GETFD) >= 0) {
        launch.descriptors.emplace_back(STDERR_FILENO, STDERR_FILENO);
    }
    auto process = TRY(Subprocess::start(launch));
    return Child{.process = std::move(process), .socket = std::move(ours)};
}

}  // namespace vigia::scan::detail
