// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"

namespace vigia::cli {
namespace {

Exit run_self_test(const Context& context) {
    constexpr long kOk = 200;
    const auto reply = context.client().post("/v1/selftest", "");
    if (!reply) {
        return report_error(context, reply.error());
    }
    if (reply->status != kOk) {
        return report_refusal(context, *reply);
    }
    const auto report = nlohmann::json::parse(reply->body, nullptr, false);
    if (!report.is_object()) {
        return Exit::NotReachable;
    }
    const bool ok = report.value("ok", false);
    if (context.json) {
        fmt::print("{}\n", report.dump());
        return ok ? Exit::Fine : Exit::No;
    }
    for (const auto& stage : report.at("stages")) {
        const bool passed = stage.value("ok", false);
        fmt::print("  {:<9} {} {:>9.1f} ms  {}\n",
                   printable_member(stage, "name"),
                   passed ? paint(context, Tone::Good, context.say({"ok    ", "bien  "}))
                          : paint(context, Tone::Bad, context.say({"failed", "falló "})),
                   stage.value("milliseconds", 0.0),
                   sentence_member(stage, "detail"));
    }
    fmt::print(
        "{}\n",
        ok ? paint(context,
                   Tone::Good,
                   context.say({"self-test passed: a canary was detected end to end",
                                "autoprueba superada: se detectó un canario de principio a fin"}))
           : paint(context, Tone::Bad, context.say({"self-test failed", "autoprueba fallida"})));
    return ok ? Exit::Fine : Exit::No;
}

}  // namespace

Verb selftest_verb() {
    return {.name = "selftest",
            .help = {"prove the chain from kernel event to journal, now",
                     "prueba ahora la cadena completa, del evento del núcleo al registro"},
            .action = run_self_test};
}

}  // namespace vigia::cli
