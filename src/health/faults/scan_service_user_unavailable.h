// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdio>

#include "base/text.h"
#include "health/fault.h"

namespace vigia::health::faults {

// Evidence of every cause: user, running_as, sandbox; perm-changed: paths[]{path, found{mode, uid,
// gid}, expected{mode, uid, gid}} (found: null when it is not there), commands[], count, first;
// user-misconfigured: problems[], shell, uid; creation-restricted: error, usergroups_enab,
// create_command; user-missing, group-missing: create_command; cannot-switch: error.
namespace scan_service_user_unavailable_parts {

inline constexpr Text kLost{
    .en =
        "Protection against hostile files is weaker than designed: scanning goes on as "
        "{running_as}, still inside the whole sandbox (system-call filter, Landlock, empty root, "
        "no capabilities, no network). Nothing else is lost.",
    .es =
        "La protección frente a archivos hostiles es menor que la prevista: el análisis continúa "
        "como {running_as}, siempre dentro de todo el aislamiento (filtro de llamadas, Landlock, "
        "raíz vacía, sin capacidades, sin red). No se pierde nada más."};

inline constexpr std::array kCreate{
    Step{.text = {.en = "Create the user and its group; scanning moves to it without a restart.",
                  .es = "Cree el usuario y su grupo; el análisis pasa a usarlo sin reiniciar."},
         .command = "vigia faults fix 5"},
    Step{.text = {.en = "Or by hand:", .es = "O a mano:"}, .command = "{create_command}"},
};

inline constexpr std::array kRepairAccount{
    Step{.text = {.en = "Take away what this account must not have: {problems}.",
                  .es = "Quite lo que esta cuenta no debe tener: {problems}."},
         .command = "{commands}"},
};

inline constexpr std::array kRestore{
    Step{.text = {.en = "Restore owners and modes as they were installed.",
                  .es = "Restaure los propietarios y modos de la instalación."},
         .command = "vigia faults fix 5"},
    Step{.text = {.en = "Or by hand:", .es = "O a mano:"}, .command = "{commands}"},
    Step{.text = {.en = "Find out which program changed them, so that it does not happen again.",
                  .es = "Averigüe qué programa los cambió, para que no vuelva a ocurrir."}},
};

inline constexpr std::array kSwitch{
    Step{.text = {.en = "The service must be allowed to change its user: give it CAP_SETUID and "
                        "CAP_SETGID (CapabilityBoundingSet= of its unit).",
                  .es = "El servicio debe poder cambiar de usuario: dele CAP_SETUID y CAP_SETGID "
                        "(CapabilityBoundingSet= de su unidad)."},
         .command = "systemctl cat vigiad"},
};

inline constexpr std::array kRestricted{
    Step{.text = {.en =
                      "/etc/login.defs says USERGROUPS_ENAB {usergroups_enab}: set it to yes while "
                      "the account is made.",
                  .es = "/etc/login.defs dice USERGROUPS_ENAB {usergroups_enab}: póngalo en yes "
                        "mientras se crea la cuenta."},
         .command = "sed -i 's/^USERGROUPS_ENAB.*/USERGROUPS_ENAB yes/' /etc/login.defs"},
    Step{.text = {.en = "Then create the user and its group.",
                  .es = "Después cree el usuario y su grupo."},
         .command = "vigia faults fix 5"},
    Step{.text = {.en = "Or by hand:", .es = "O a mano:"}, .command = "{create_command}"},
};

inline constexpr HealPlan kCreateHeal{
    .action = Heal::CreateScanUser, .attempts = 3, .backoff = std::chrono::milliseconds{5000}};

inline constexpr std::array kCauses{
    Cause{
        .word = "user-missing",
        .description = {.en = "The user {user}, under which files are scanned, does not exist.",
                        .es = "No existe el usuario {user}, con el que se analizan los archivos."},
        .lost = kLost,
        .remedy = kCreate,
        .heal = kCreateHeal},
    Cause{.word = "group-missing",
          .description = {.en = "The group {user} does not exist.",
                          .es = "No existe el grupo {user}."},
          .lost = kLost,
          .remedy = kCreate,
          .heal = kCreateHeal},
    Cause{
        .word = "user-misconfigured",
        .description = {.en = "The user {user} has what an account that parses hostile files must "
                              "not have: {problems}.",
                        .es = "El usuario {user} tiene lo que no debe tener una cuenta que procesa "
                              "archivos hostiles: {problems}."},
        .lost = kLost,
        .remedy = kRepairAccount},
    Cause{
        .word = "perm-changed",
        .description = {.en =
                            "{count} of the product's folders and files do not have the owner and "
                            "mode they were installed with; the first: {first}.",
                        .es = "{count} de las carpetas y archivos del producto no tienen el "
                              "propietario y modo de la instalación; el primero: {first}."},
        .lost = {.en = "Another user may be able to change or read what only the connector should. "
                       "Scanning goes on as {running_as}.",
                 .es = "Otro usuario podría cambiar o leer lo que solo corresponde al conector. El "
                       "análisis continúa como {running_as}."},
        .remedy = kRestore,
        .heal = {.action = Heal::RestoreAccess,
                 .attempts = 5,
                 .backoff = std::chrono::milliseconds{2000}}},
    Cause{.word = "cannot-switch",
          .description = {.en = "The scan service could not become the user {user}: {error}",
                          .es = "El servicio de análisis no pudo pasar al usuario {user}: {error}"},
          .lost = kLost,
          .remedy = kSwitch},
    Cause{.word = "creation-restricted",
          .description = {.en = "The user {user} does not exist and could not be created: {error}",
                          .es = "El usuario {user} no existe y no se pudo crear: {error}"},
          .lost = kLost,
          .remedy = kRestricted,
          .heal = {.action = Heal::CreateScanUser,
                   .attempts = 3,
                   .backoff = std::chrono::milliseconds{30'000}}},
};

inline std::string octal(unsigned mode) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode);
    return text.data();
}

inline Evidence access(const Facts::Access& value) {
    return Evidence::Members{{"mode", octal(value.mode)},
                             {"uid", std::uint64_t{value.uid}},
                             {"gid", std::uint64_t{value.gid}}};
}

inline std::string words(const Facts::Access& value) {
    return octal(value.mode) + " " + std::to_string(value.uid) + ":" + std::to_string(value.gid);
}

inline Finding changed_access(const Facts& facts, Evidence::Members evidence) {
    constexpr std::size_t kMostShown = 50;
    const auto& wrong = facts.scan_user.wrong_access;
    Evidence::List paths;
    Evidence::List commands;
    for (const auto& one : wrong) {
        if (paths.size() == kMostShown) {
            break;
        }
        paths.emplace_back(Evidence::Members{{"path", one.path},
                                             {"found", one.found ? access(*one.found) : Evidence{}},
                                             {"expected", access(one.expected)}});
        const auto owner =
            std::to_string(one.expected.uid) + ":" + std::to_string(one.expected.gid);
        commands.emplace_back((one.found ? "" : "mkdir -p " + shell_quoted(one.path) + " && ") +
                              "chown " + owner + " " + shell_quoted(one.path) + " && chmod " +
                              octal(one.expected.mode) + " " + shell_quoted(one.path));
    }
    const auto& first = wrong.front();
    evidence.emplace_back("paths", std::move(paths));
    evidence.emplace_back("count", static_cast<std::uint64_t>(wrong.size()));
    evidence.emplace_back("first",
                          first.path + " " +
                              (first.found ? words(*first.found) : std::string("(missing)")) +
                              " → " + words(first.expected));
    evidence.emplace_back("commands", std::move(commands));
    return Finding::failing(Severity::Major, "perm-changed", std::move(evidence));
}

inline Finding misconfigured(const Facts& facts, Evidence::Members evidence) {
    const auto& user = facts.scan_user;
    Evidence::List problems;
    Evidence::List commands;
    for (const auto& word : user.misconfigured) {
        problems.emplace_back(word);
        if (word == "login-shell") {
            commands.emplace_back("usermod --shell /usr/sbin/nologin " + user.name);
        } else if (word == "password") {
            commands.emplace_back("passwd --lock " + user.name);
        } else if (word == "supplementary-groups") {
            commands.emplace_back("usermod --groups '' " + user.name);
        } else if (word == "uid-0") {
            commands.emplace_back("userdel -f " + user.name + " && vigia faults fix 5");
        }
    }
    evidence.emplace_back("problems", std::move(problems));
    evidence.emplace_back("shell", user.shell);
    if (user.uid) {
        evidence.emplace_back("uid", std::uint64_t{*user.uid});
    }
    evidence.emplace_back("commands", std::move(commands));
    return Finding::failing(Severity::Major, "user-misconfigured", std::move(evidence));
}

inline Finding missing(const Facts& facts, Evidence::Members evidence) {
    const auto& user = facts.scan_user;
    evidence.emplace_back("create_command", user.create_command);
    if (!user.creation_error.empty() || user.usergroups_enab == "no") {
        evidence.emplace_back("error",
                              user.creation_error.empty()
                                  ? "USERGROUPS_ENAB in /etc/login.defs is no"
                                  : user.creation_error);
        if (user.usergroups_enab == "no") {
            evidence.emplace_back("usergroups_enab", user.usergroups_enab);
        }
        return Finding::failing(Severity::Major, "creation-restricted", std::move(evidence));
    }
    return Finding::failing(
        Severity::Major, *user.user_exists ? "group-missing" : "user-missing", std::move(evidence));
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& user = facts.scan_user;
    Evidence::Members evidence{
        {"user", user.name},
        {"running_as", user.running_as.empty() ? "(no worker runs)" : user.running_as},
        {"sandbox", facts.scan.sandbox_detail}};
    if (user.user_exists.is_known() && user.group_exists.is_known() &&
        (!*user.user_exists || !*user.group_exists)) {
        return missing(facts, std::move(evidence));
    }
    if (!user.misconfigured.empty()) {
        return misconfigured(facts, std::move(evidence));
    }
    if (!user.switch_error.empty()) {
        evidence.emplace_back("error", user.switch_error);
        return Finding::failing(Severity::Major, "cannot-switch", std::move(evidence));
    }
    if (!user.wrong_access.empty()) {
        return changed_access(facts, std::move(evidence));
    }
    if (!user.user_exists.is_known()) {
        return Finding::unknown(user.user_exists.why_unknown);
    }
    if (!user.group_exists.is_known()) {
        return Finding::unknown(user.group_exists.why_unknown);
    }
    return Finding::ok();
}

}  // namespace scan_service_user_unavailable_parts

inline constexpr Fault scan_service_user_unavailable{
    .id = 5,
    .key = "scan-service-user-unavailable",
    .severity = Severity::Major,
    .title = {.en = "Scan service user unavailable",
              .es = "Usuario del servicio de análisis no disponible"},
    .summary = {.en =
                    "Raised when the account under which files are scanned is missing or not as it "
                    "should be, or when owners or modes of the product's folders were changed.",
                .es = "Se notifica cuando la cuenta con la que se analizan los archivos falta o no "
                      "está como debe, o cuando se cambió el propietario o el modo de las carpetas "
                      "del producto."},
    .causes = scan_service_user_unavailable_parts::kCauses,
    .probe = scan_service_user_unavailable_parts::probe,
    .timing = {.clear_after = std::chrono::milliseconds{500}},
};

}  // namespace vigia::health::faults
