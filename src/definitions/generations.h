// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace vigia::definitions {

// A generation in the making, under a temporary name. Taken away again unless it was adopted.
class Draft {
public:
    Draft(std::filesystem::path path, UniqueFd folder)
        : path_(std::move(path)), folder_(std::move(folder)) {}

    Draft(Draft&& other) noexcept
        : path_(std::exchange(other.path_, {})), folder_(std::move(other.folder_)) {}

    Draft& operator=(Draft&&) = delete;
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    ~Draft();

    [[nodiscard]] int folder() const noexcept { return folder_.get(); }

private:
    friend class Generations;

    std::filesystem::path path_;  // empty: adopted
    UniqueFd folder_;
};

// The folder definitions/ of an instance: incoming/, generations/, rejected/ and the link
// `current`. One process at a time (the daemon's instance lock); not thread-safe.
class Generations {
public:
    // Makes what is missing (0755) and takes away drafts that an interrupted gather left.
    [[nodiscard]] static Result<Generations> open(const std::filesystem::path& state);

    [[nodiscard]] Result<Draft> begin() const;

    // The folder of generation `name`: the one that is there, if its content is what its name says,
    // else the draft. One that is not is set aside in rejected/, and `problems` says so.
    [[nodiscard]] Result<std::filesystem::path> adopt(Draft draft,
                                                      const std::string& name,
                                                      std::vector<std::string>& problems) const;

    // Switches `current` to this generation: the old one or the new one at any instant, also after
    // a loss of power.
    [[nodiscard]] Result<> activate(const std::string& name) const;

    // Takes away all but the `keep` used last; never the one `current` names.
    void prune(unsigned keep, std::vector<std::string>& problems) const;

private:
    explicit Generations(std::filesystem::path state) : state_(std::move(state)) {}

    [[nodiscard]] std::filesystem::path folder_of(const std::string& name) const;

    std::filesystem::path state_;
};

// The name of the generation with this content: 16 hexadecimal digits.
[[nodiscard]] Result<std::string> generation_name(int folder);

}  // namespace vigia::definitions
