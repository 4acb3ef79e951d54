// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/arguments.h"

namespace vigia::cli {

// `vigia`, with every verb. Stays where it was made: the tree points into it.
class Program {
public:
    Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    Program(Program&&) = delete;
    Program& operator=(Program&&) = delete;
    ~Program() = default;

    [[nodiscard]] const Verb& root() const { return root_; }

    // Parses, then does what was asked for. `context` holds the defaults for what is not said.
    [[nodiscard]] Exit run(std::span<const std::string> arguments, Context context);

private:
    // The options of every verb.
    struct Settings {
        std::string prefix;
        std::string language;
        bool json = false;
        bool help = false;
        bool version = false;
    };

    Settings settings_;
    Verb root_;
};

}  // namespace vigia::cli
