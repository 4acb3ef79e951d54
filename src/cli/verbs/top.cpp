// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "cli/verbs.h"

namespace vigia::cli {
namespace {

using nlohmann::json;

constexpr const char* kPath = "/v1/top";

struct Asked {
    bool once = false;
    std::uint32_t interval = 2;  // seconds
    std::string sort = "cost";
};

// A signal handler reaches nothing else.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t ended = 0;

void order(std::vector<json>& programs, const std::string& by) {
    const char* key = by == "events"    ? "events_per_second"
                      : by == "scans"   ? "scans"
                      : by == "seconds" ? "scan_seconds"
                                        : nullptr;
    if (key != nullptr) {  // by cost: as the daemon tells them
        std::ranges::sort(programs, [&](const json& one, const json& other) {
            return std::pair(other.value(key, 0.0), one.value("path", "")) <
                   std::pair(one.value(key, 0.0), other.value("path", ""));
        });
    }
}

// At most so many characters; the end is what tells paths apart.
std::string cut(std::string text, std::size_t most) {
    const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
    const auto length = static_cast<std::size_t>(std::ranges::count_if(text, starts));
    if (length <= most || most == 0) {
        return text;
    }
    std::size_t at = 0;
    for (std::size_t skipped = 0; at < text.size() && skipped <= length - most + 1; ++at) {
        skipped += starts(text[at]) ? 1U : 0U;
    }
    return "…" + text.substr(at > 0 ? at - 1 : 0);
}

constexpr std::size_t kNumbers = 52;  // columns of everything but program and folder

// Of the program and of the folder; a folder that is not shown has none.
struct Widths {
    std::size_t name = 40;
    std::size_t folder = 200;
};

// What fits into so many columns; 0: no matter how many.
Widths widths_in(std::size_t columns) {
    constexpr std::size_t kLeastName = 16;
    constexpr std::size_t kRoomForBoth = 48;
    if (columns == 0) {
        return {};
    }
    const auto room = columns > kNumbers ? columns - kNumbers : 0;
    return room >= kRoomForBoth ? Widths{.name = room / 2, .folder = room - room / 2}
                                : Widths{.name = std::max(kLeastName, room), .folder = 0};
}

std::string row(const json& program, Widths widths) {
    auto name = printable_member(program, "path");
    const auto writes = program.value("writes", json::array());
    const auto folder = writes.empty() || !writes.front().is_string()
                            ? std::string{}
                            : printable(writes.front().get<std::string>());
    return fmt::format("{} {} {:>5} {:>9.1f} {:>6} {:>8.2f} {:>5.1f}%  {}",
                       padded(cut(name.empty() ? "?" : name, widths.name), widths.name),
                       padded(cut(printable_member(program, "user"), 10), 10),
                       program.value("processes", 0U),
                       program.value("events_per_second", 0.0),
                       program.value("scans", std::uint64_t{0}),
                       program.value("scan_seconds", 0.0),
                       program.value("share", 0.0) * 100,
                       widths.folder == 0 ? "" : cut(folder, widths.folder));
}

std::string heading(const Context& context, Widths widths) {
    return fmt::format("{} {} {:>5} {:>9} {:>6} {:>8} {:>6}  {}",
                       padded(context.say({"PROGRAM", "PROGRAMA"}), widths.name),
                       padded(context.say({"USER", "USUARIO"}), 10),
                       "PROC",
                       context.say({"EVENTS/S", "EVENT./S"}),
                       context.say({"SCANS", "ANÁL."}),
                       context.say({"SCAN S", "ANÁL. S"}),
                       context.say({"SHARE", "PARTE"}),
                       widths.folder == 0 ? "" : context.say({"WRITES", "ESCRIBE EN"}));
}

// The lines of the table, at most `rows` of them and `columns` wide; 0: as many as there are.
std::vector<std::string> table(const Context& context,
                               const json& body,
                               const std::string& sort,
                               std::size_t rows,
                               std::size_t columns) {
    std::vector<json> programs = body.value("programs", json::array());
    order(programs, sort);
    const auto widths = widths_in(columns);
    std::vector<std::string> lines{paint(context, Tone::Strong, heading(context, widths))};
    for (const auto& program : programs) {
        if (rows != 0 && lines.size() >= rows) {
            break;
        }
        auto line = row(program, widths);
        lines.push_back(program.value("warning", "").empty() ? line
                                                             : paint(context, Tone::Warning, line));
    }
    if (programs.empty()) {
        lines.emplace_back(context.say({"nothing to do for anybody in the last ten seconds",
                                        "nada que hacer por nadie en los últimos diez segundos"}));
    }
    return lines;
}

void print_table(const Context& context, const json& body, const std::string& sort) {
    for (const auto& line : table(context, body, sort, 0, 0)) {
        fmt::print("{}\n", line);
    }
    const auto displaced = body.value("others", json::object()).value("displaced", 0U);
    if (displaced > 0) {
        fmt::print(
            "{}\n",
            fmt::format(fmt::runtime(context.say({"{} more programs found no room in the table",
                                                  "{} programas más no cupieron en la tabla"})),
                        displaced));
    }
    std::fflush(stdout);
}

// The other screen of the terminal, keys without Enter; the terminal as it was when it goes.
class Screen {
public:
    Screen() {
        ::tcgetattr(STDIN_FILENO, &before_);
        auto raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // stopped, it would leave the terminal like this
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        put("\x1b[?1049h\x1b[?25l");
    }

    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    ~Screen() {
        put("\x1b[?25h\x1b[?1049l");
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }

    void show(const std::vector<std::string>& lines) {
        std::string frame = "\x1b[H";
        for (const auto& line : lines) {
            frame += line + "\x1b[K\r\n";
        }
        put(frame + "\x1b[J");
    }

    [[nodiscard]] static winsize size() {
        winsize size{};
        ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        if (size.ws_row == 0 || size.ws_col == 0) {  // it does not know
            size = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
        }
        return size;
    }

private:
    static void put(std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    }

    termios before_{};
};

// Signals end the waiting and nothing else, so that no code of ours is interrupted half-way.
class EndSignals {
public:
    EndSignals() {
        struct sigaction action{};
        action.sa_handler = [](int) { ended = 1; };
        ::sigemptyset(&action.sa_mask);
        sigset_t held{};
        ::sigemptyset(&held);
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
            ::sigaction(number, &action, nullptr);
            ::sigaddset(&held, number);
        }
        ::pthread_sigmask(SIG_BLOCK, &held, &open_);
    }

    // Until a key is pressed, the time is over or a signal came. Nothing: no key.
    [[nodiscard]] std::optional<char> wait(std::uint32_t seconds, bool keys) const {
        pollfd input{.fd = keys ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
        const timespec limit{.tv_sec = seconds, .tv_nsec = 0};
        char key = 0;
        if (ended == 0 && ::ppoll(&input, 1, &limit, &open_) > 0) {
            if (::read(STDIN_FILENO, &key, 1) == 1) {
                return key;
            }
            ended = 1;  // the terminal has gone
        }
        return std::nullopt;
    }

private:
    sigset_t open_{};
};

bool take_key(char key, std::string& sort) {
    switch (key) {
        case 'e':
            sort = "events";
            return true;
        case 's':
            sort = "scans";
            return true;
        case 't':
            sort = "seconds";
            return true;
        case 'c':
            sort = "cost";
            return true;
        case 'q':
            ended = 1;
            return true;
        default:
            return false;
    }
}

Exit live(const Context& context, const Asked& asked) {
    auto exit = Exit::Fine;
    auto body = fetch(context, kPath, exit);
    if (!body) {
        return exit;
    }
    const EndSignals signals;
    auto sort = asked.sort;
    auto screen = std::make_optional<Screen>();
    while (ended == 0) {
        const auto size = Screen::size();
        std::vector<std::string> lines{fmt::format(
            "vigia top  {}",
            context.say({"sort: e events, s scans, t scan time, c cost; q quits",
                         "orden: e eventos, s análisis, t tiempo de análisis, c coste; q sale"}))};
        const std::size_t rows = size.ws_row > 4 ? size.ws_row - 3U : 1U;
        for (auto& line : table(context, *body, sort, rows, size.ws_col)) {
            lines.push_back(std::move(line));
        }
        screen->show(lines);
        if (const auto key = signals.wait(asked.interval, true)) {
            if (take_key(*key, sort)) {
                continue;  // the same again in another order
            }
        }
        if (ended != 0) {
            break;
        }
        const auto reply = context.client().get(kPath);
        auto next = reply ? json::parse(reply->body, nullptr, false) : json();
        if (!next.is_object() || !next.contains("programs")) {
            screen.reset();  // what went wrong is to be read
            body = fetch(context, kPath, exit);
            return exit;
        }
        body = std::move(next);
    }
    return Exit::Fine;
}

Exit stream(const Context& context, const Asked& asked) {
    const EndSignals signals;
    bool first = true;
    while (ended == 0) {
        auto exit = Exit::Fine;
        const auto body = fetch(context, kPath, exit);
        if (!body) {
            return exit;
        }
        if (context.json) {
            fmt::print("{}\n", body->dump());
            std::fflush(stdout);
        } else {
            fmt::print("{}", first ? "" : "\n");
            print_table(context, *body, asked.sort);
        }
        first = false;
        if (asked.once) {
            break;
        }
        (void)signals.wait(asked.interval, false);
    }
    return Exit::Fine;
}

Exit run_top(const Context& context, const Asked& asked) {
    const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    return terminal && !asked.once && !context.json ? live(context, asked) : stream(context, asked);
}

}  // namespace

Verb top_verb() {
    auto asked = std::make_shared<Asked>();
    return {
        .name = "top",
        .help = {"which programs cost most, and what for", "qué programas cuestan más, y por qué"},
        .options = {{.name = "--once",
                     .help = {"show it once and end", "muéstralo una vez y termina"},
                     .into = &asked->once},
                    {.name = "--interval",
                     .value = "SECONDS",
                     .help = {"between two looks (default 2)", "entre dos miradas (si no, 2)"},
                     .least = 1,
                     .most = 3600,
                     .into = &asked->interval},
                    {.name = "--sort",
                     .value = "BY",
                     .help = {"cost, events, scans or seconds of scanning",
                              "coste, eventos, análisis o segundos de análisis"},
                     .choices = {"cost", "events", "scans", "seconds"},
                     .into = &asked->sort}},
        .action = [asked](const Context& context) { return run_top(context, *asked); }};
}

}  // namespace vigia::cli
