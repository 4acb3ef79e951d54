// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <set>
#include <string>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "definitions/builtin.h"
#include "definitions/digest.h"
#include "definitions/generations.h"
#include "definitions/rejected.h"
#include "definitions/signatures.h"
#include "definitions/source_folder.h"

namespace vigia::definitions {
namespace {

// Fills one draft, source by source.
class Gathering {
public:
    Gathering(const Draft& draft, GatheredSet& set) : draft_(&draft), set_(&set) {}

    Result<> add_builtin() {
        const std::string name(kBuiltinFile);
        const auto file = TRY(open_at(
            draft_->folder(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
        TRY(write_all(file.get(), builtin_signatures()));
        if (::fchmod(file.get(), 0644) < 0) {
            return fail_errno("set the mode");
        }
        names_.insert(name);
        set_->status.sources.push_back(
            {.kind = "builtin", .path = {}, .files = 1, .detail = "EICAR and the canary"});
        return {};
    }

    // `number`: of the source, from 1.
    Result<> add_folder(const DefinitionSource& source, std::size_t number) {
        auto taken = TRY(take_folder(
            source.path, draft_->folder(), kMaxFiles - names_.size(), [&](const std::string& name) {
                return unique_name(name, number);
            }));
        DefinitionsStatus::Source status{
            .kind = source.kind, .path = source.path, .files = taken.files};
        if (!taken.unreadable.empty()) {
            status.detail = "cannot be read: " + taken.unreadable;
            set_->problems.push_back(
                fmt::format("source {}: {}", printable(source.path), status.detail));
        } else if (taken.files == 0) {
            status.detail = "no definition files";
            set_->problems.push_back(
                fmt::format("source {}: {}", printable(source.path), status.detail));
        } else if (!taken.problems.empty() || taken.ignored > 0) {
            status.detail = fmt::format(
                "{} left out, {} other files ignored", taken.problems.size(), taken.ignored);
        }
        std::ranges::move(taken.problems, std::back_inserter(set_->problems));
        set_->status.sources.push_back(std::move(status));
        return {};
    }

    // Takes out again what the engine has refused before, by its content.
    Result<> leave_out(const std::set<Sha256>& rejected) {
        if (rejected.empty()) {
            return {};
        }
        for (const auto& name : names_) {
            if (name == kBuiltinFile) {
                continue;
            }
            const auto digest = TRY(digest_of_file(draft_->folder(), name));
            if (rejected.contains(digest)) {
                if (::unlinkat(draft_->folder(), name.c_str(), 0) < 0) {
                    return fail_errno("leave out " + printable(name));
                }
                set_->problems.push_back(fmt::format(
                    "{}: left out, the engine has refused this content before (rejected/)",
                    printable(name)));
            }
        }
        return {};
    }

    void add_remote(const DefinitionSource& source) {
        constexpr auto* kDetail = "not read: this version loads folder sources only";
        const auto& place =
            source.url.empty() && !source.mirrors.empty() ? source.mirrors.front() : source.url;
        set_->status.sources.push_back({.kind = source.kind, .path = place, .detail = kDetail});
        set_->problems.push_back(
            fmt::format("source {} {}: {}", source.kind, printable(place), kDetail));
    }

private:
    // Two sources may have a file of the same name; what the engine reads out of a name ("daily.…")
    // is in its end and stays.
    std::string unique_name(const std::string& name, std::size_t number) {
        std::string unique = name;
        while (!names_.insert(unique).second) {
            unique.insert(0, fmt::format("{}-", number));
        }
        return unique;
    }

    const Draft* draft_;
    GatheredSet* set_;
    std::set<std::string> names_;
};

Result<> fill(const Draft& draft,
              const Policy::Definitions& policy,
              const std::set<Sha256>& rejected,
              GatheredSet& set) {
    Gathering gathering(draft, set);
    TRY(gathering.add_builtin(), "built-in set");
    for (std::size_t at = 0; at < policy.sources.size(); ++at) {
        const auto& source = policy.sources[at];
        if (source.kind == "folder") {
            TRY(gathering.add_folder(source, at + 1), "copy " + printable(source.path));
        } else {
            gathering.add_remote(source);
        }
    }
    return gathering.leave_out(rejected);
}

}  // namespace

Result<GatheredSet> gather(const std::filesystem::path& state,
                           const Policy::Definitions& policy,
                           std::set<Sha256> refused) {
    const auto generations = TRY(Generations::open(state), "gather definitions");
    auto draft = TRY(generations.begin(), "gather definitions");
    GatheredSet set;
    refused.merge(rejected_contents(state));
    TRY(fill(draft, policy, refused, set), "gather definitions");
    set.generation = TRY(generation_name(draft.folder()), "gather definitions");
    set.folder = TRY(generations.adopt(std::move(draft), set.generation, set.problems),
                     "gather definitions");
    TRY(generations.activate(set.generation), "gather definitions");
    generations.prune(policy.keep_generations, set.problems);
    set.folders.push_back(
        TRY(open_at(AT_FDCWD, set.folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
            "gather definitions"));
    set.status.generation = set.generation;
    return set;
}

}  // namespace vigia::definitions
