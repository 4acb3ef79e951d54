// SPDX-License-Identifier: GPL-2.0-or-later
#include <curl/curl.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdlib>

#include "cli/program.h"

namespace {

using namespace vigia::cli;

Language language_of_locale() {
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
        if (value != nullptr && *value != '\0') {
            return std::string_view(value).starts_with("es") ? Language::Spanish
                                                             : Language::English;
        }
    }
    return Language::English;
}

}  // namespace

int main(int argc, char** argv) {
    std::setlocale(LC_ALL, "");  // NOLINT(concurrency-mt-unsafe): before any thread
    ::signal(SIGPIPE, SIG_DFL);  // `vigia events | head` ends quietly
    ::curl_global_init(CURL_GLOBAL_DEFAULT);
    const Context context{
        .language = language_of_locale(),
        .colour = ::isatty(STDOUT_FILENO) == 1 &&
                  std::getenv("NO_COLOR") == nullptr,  // NOLINT(concurrency-mt-unsafe)
        .terminal = ::isatty(STDERR_FILENO) == 1};
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    Program program;
    return static_cast<int>(program.run(arguments, context));
}
