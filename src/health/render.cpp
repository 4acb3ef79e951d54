// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "health/catalogue.h"

namespace vigia::health {
namespace {

constexpr std::size_t kMostRepeats = 20;  // of one step

std::string text_of(const Evidence& evidence) {
    struct Visitor {
        std::string operator()(std::monostate /*none*/) const { return {}; }

        std::string operator()(bool truth) const { return truth ? "true" : "false"; }

        std::string operator()(std::int64_t number) const { return std::to_string(number); }

        std::string operator()(double number) const { return fmt::format("{:.1f}", number); }

        std::string operator()(const std::string& text) const { return printable(text); }

        std::string operator()(const Evidence::List& list) const {
            std::string all;
            for (const auto& one : list) {
                all += (all.empty() ? "" : ", ") + text_of(one);
            }
            return all;
        }

        std::string operator()(const Evidence::Members& members) const {
            std::string all;
            for (const auto& [name, member] : members) {
                all += fmt::format("{}{}={}", all.empty() ? "" : " ", name, text_of(member));
            }
            return all;
        }
    };

    return std::visit(Visitor{}, evidence.value);
}

struct Hole {
    std::size_t begin = 0;
    std::size_t end = 0;  // behind the brace
    std::string_view key;
};

std::optional<Hole> next_hole(std::string_view text, std::size_t from) {
    const auto open = text.find('{', from);
    const auto close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) {
        return std::nullopt;
    }
    return Hole{.begin = open, .end = close + 1, .key = text.substr(open + 1, close - open - 1)};
}

enum class Use : std::uint8_t { Sentence, Command };

// In a command everything is one word, but what is a command itself.
std::string text_for(Use use, std::string_view key, const Evidence& evidence) {
    if (use == Use::Sentence) {
        return text_of(evidence);
    }
    const auto* text = std::get_if<std::string>(&evidence.value);
    if (text == nullptr) {
        return text_of(evidence);
    }
    return key.ends_with("command") || key.ends_with("commands") ? *text : shell_quoted(*text);
}

// The element `at` of lists, everything else as it is.
std::string fill_element(std::string_view text, const Evidence& evidence, Use use, std::size_t at) {
    std::string filled;
    std::size_t from = 0;
    while (const auto hole = next_hole(text, from)) {
        filled += text.substr(from, hole->begin - from);
        const auto* member = evidence.find(hole->key);
        const auto* list =
            member == nullptr ? nullptr : std::get_if<Evidence::List>(&member->value);
        if (list != nullptr && at < list->size()) {
            filled += text_for(use, hole->key, (*list)[at]);
        } else {
            filled += member == nullptr ? "…" : text_for(use, hole->key, *member);
        }
        from = hole->end;
    }
    return filled.append(text.substr(from));
}

// How often a step is said: once, or for each element of the list that its command names; never,
// if something it names is not there.
std::size_t repeats(const Step& step, const Evidence& evidence) {
    std::size_t times = 1;
    for (const auto text : {step.command, step.text.en}) {
        std::size_t from = 0;
        while (const auto hole = next_hole(text, from)) {
            const auto* member = evidence.find(hole->key);
            if (member == nullptr || text_of(*member).empty()) {
                return 0;
            }
            const auto* list = std::get_if<Evidence::List>(&member->value);
            if (list != nullptr && text == step.command) {
                times = std::max(times, list->size());
            }
            from = hole->end;
        }
    }
    return std::min(times, kMostRepeats);
}

std::vector<FaultReport::Step> remedy_of(const Cause& cause,
                                         const Evidence& evidence,
                                         Language language) {
    std::vector<FaultReport::Step> steps;
    for (const auto& step : cause.remedy) {
        const auto times = repeats(step, evidence);
        for (std::size_t at = 0; at < times; ++at) {
            steps.push_back({.text = fill(step.text.in(language), evidence),
                             .command = fill_element(step.command, evidence, Use::Command, at)});
        }
    }
    return steps;
}

}  // namespace

std::string fill(std::string_view text, const Evidence& evidence) {
    return fill_element(text, evidence, Use::Sentence, static_cast<std::size_t>(-1));
}

FaultReport render(const Episode& episode, Language language) {
    FaultReport report{.id = episode.id,
                       .key = episode.key,
                       .severity = episode.severity,
                       .title = episode.key,
                       .cause = episode.cause,
                       .description = {},
                       .evidence = episode.evidence,
                       .lost_capability = {},
                       .remedy = {},
                       .episode = episode.episode.text,
                       .raised_at = episode.raised_at,
                       .updated_at = episode.updated_at,
                       .flapping = episode.flapping,
                       .heal_attempts = episode.heal_attempts,
                       .heal_last_result = episode.heal_last_result};
    const auto* fault = find_fault(episode.id);
    const auto* cause = fault == nullptr ? nullptr : find_cause(*fault, episode.cause);
    if (fault != nullptr) {
        report.title = fault->title.in(language);
        report.description = fault->summary.in(language);
    }
    if (cause != nullptr) {
        report.description = fill(cause->description.in(language), episode.evidence);
        report.lost_capability = fill(cause->lost.in(language), episode.evidence);
        report.remedy = remedy_of(*cause, episode.evidence, language);
    }
    return report;
}

FaultReport render(const Fault& fault, const Finding& finding, Language language) {
    auto report = render(Episode{.id = fault.id,
                                 .key = std::string(fault.key),
                                 .episode = {},
                                 .severity = finding.severity,
                                 .cause = std::string(finding.cause),
                                 .evidence = Evidence(finding.evidence)},
                         language);
    report.raised_at.reset();
    report.updated_at.reset();
    return report;
}

}  // namespace vigia::health
