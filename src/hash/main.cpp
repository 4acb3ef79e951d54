// SPDX-License-Identifier: GPL-2.0-or-later
#include <csignal>
#include <cstdlib>
#include <exception>
#include <span>
#include <string>

#include "base/child_program.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "hash/hasher.h"
#include "hash/service.h"

namespace {

vigia::Result<> run(std::span<char* const> arguments) {
    const auto options = TRY(vigia::parse_child_options(arguments));
    TRY(vigia::sandbox::forbid_inspection());
    (void)std::signal(SIGPIPE, SIG_IGN);
    auto hasher = TRY(vigia::hash::Hasher::create());
    TRY(vigia::hash::confine(options), "build the sandbox");
    return vigia::hash::serve(options.socket, hasher);
}

}  // namespace

int main(int count, char** arguments) {
    try {
        const auto ended = run(std::span(arguments, static_cast<std::size_t>(count)));
        if (!ended) {
            vigia::log::error("vigia-hash: " + vigia::printable(ended.error().message()));
        }
        return ended ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception& error) {
        vigia::log::error(std::string("vigia-hash: ") + error.what());
        return EXIT_FAILURE;
    }
}
