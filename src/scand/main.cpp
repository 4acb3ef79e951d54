// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <exception>
#include <span>
#include <string>

#include "base/child_program.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "scand/engines/clamav/engine.h"
#include "scand/engines/clamav/warm_up.h"
#include "scand/zygote.h"

namespace {

vigia::Result<> run(std::span<char* const> arguments) {
    const auto options = TRY(vigia::parse_child_options(arguments));
    TRY(vigia::sandbox::forbid_inspection());
    TRY(vigia::scand::Engine::initialise());
    const vigia::scand::WarmUp warm_up;
    auto zygote = TRY(vigia::scand::Zygote::start(options));
    auto ended = zygote.serve();
    if (ended) {
        // The daemon has gone: memory is given back by the kernel at once, by libclamav in seconds.
        std::_Exit(EXIT_SUCCESS);
    }
    return ended;
}

}  // namespace

int main(int count, char** arguments) {
    try {
        const auto ended = run(std::span(arguments, static_cast<std::size_t>(count)));
        if (!ended) {
            vigia::log::error("vigia-scand: " + vigia::printable(ended.error().message()));
        }
        return ended ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::exception& error) {
        vigia::log::error(std::string("vigia-scand: ") + error.what());
        return EXIT_FAILURE;
    }
}
