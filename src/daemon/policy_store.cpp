// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/policy_store.h"

#include "base/files.h"

namespace vigia::daemon {
namespace {

constexpr std::size_t kMaxPolicy = std::size_t{8} << 20U;

PolicyPtr built_in() {
    auto parsed = policy::parse(policy::default_text(), "built-in default");
    auto values = parsed ? *parsed : std::make_shared<const Policy>();
    return std::make_shared<const PolicyInForce>(std::move(values), "built-in default");
}

}  // namespace

PolicyStore::PolicyStore(std::filesystem::path file)
    : file_(std::move(file)), current_(built_in()) {}

PolicyStore::Reloaded PolicyStore::reload() {
    Reloaded result;
    const auto text = read_file(file_, kMaxPolicy);
    PolicyPtr next;
    if (!text && text.error().code == std::errc::no_such_file_or_directory) {
        next = built_in();
    } else if (!text) {
        result.problems.push_back(
            {.file = file_.native(), .key = {}, .message = text.error().message()});
    } else if (auto parsed = policy::parse(*text, file_.native())) {
        next = std::make_shared<const PolicyInForce>(*parsed, file_.native());
    } else {
        result.problems = std::move(parsed).error();
    }
    const std::scoped_lock lock(mutex_);
    problems_ = result.problems;
    if (next) {
        result.valid = true;
        result.differences = policy::difference(*current_->policy, *next->policy);
        current_ = std::move(next);
    }
    return result;
}

PolicyPtr PolicyStore::current() const {
    const std::scoped_lock lock(mutex_);
    return current_;
}

std::vector<policy::Problem> PolicyStore::problems() const {
    const std::scoped_lock lock(mutex_);
    return problems_;
}

}  // namespace vigia::daemon
