// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cerrno>

#include "health/fault.h"

namespace vigia::health::faults {

// Evidence: call, errno, error, watched, missing_capabilities[] (no-permission), group_limit
// (limit-reached), mounts[]{path, type, error} and mount_names[] (fs-unsupported), secure_boot,
// lockdown, kernel (where the host has been examined).
namespace filesystem_monitor_failed_to_start_parts {

inline constexpr std::array kPermission{
    Step{
        .text = {.en = "Let the service keep {missing_capabilities}: see CapabilityBoundingSet= of "
                       "its unit, or the container's capabilities.",
                 .es = "Deje al servicio {missing_capabilities}: vea CapabilityBoundingSet= de su "
                       "unidad, o las capacidades del contenedor."},
        .command = "systemctl cat vigiad"},
    Step{.text = {.en = "Then restart the connector.", .es = "Después reinicie el conector."},
         .command = "systemctl restart vigiad"},
};

inline constexpr std::array kKernel{
    Step{.text = {.en = "Use a kernel with CONFIG_FANOTIFY (5.17 or later for all of it).",
                  .es = "Use un núcleo con CONFIG_FANOTIFY (5.17 o posterior para todo)."},
         .command = "vigia doctor"},
    Step{.text = {.en = "Or switch file monitoring off in the policy: monitor_copies_and_moves = "
                        "false.",
                  .es = "O desactive la vigilancia de archivos en la política: "
                        "monitor_copies_and_moves = false."}},
};

inline constexpr std::array kLimit{
    Step{.text = {.en = "Raise the limit; watching begins by itself within 30 s.",
                  .es = "Suba el límite; la vigilancia empieza sola en 30 s."},
         .command = "sysctl fs.fanotify.max_user_groups=1024"},
    Step{.text = {.en = "See which programs hold the groups.",
                  .es = "Vea qué programas tienen los grupos."},
         .command = "grep -ls fanotify /proc/[0-9]*/fdinfo/*"},
};

inline constexpr std::array kMounts{
    Step{.text = {.en = "Scan these by hand or by schedule: {mount_names}.",
                  .es = "Analícelos a mano o con horario: {mount_names}."},
         .command = "vigia scan {mount_names}"},
    Step{.text = {.en = "Or take them out of `watch` in the policy, so that nobody relies on them.",
                  .es = "O quítelos de `watch` en la política, para que nadie cuente con ellos."}},
};

inline constexpr std::array kLostSteps{
    Step{
        .text = {.en =
                     "Watching starts again by itself. If it keeps ending, restart the connector.",
                 .es = "La vigilancia se reanuda sola. Si sigue terminando, reinicie el conector."},
        .command = "systemctl restart vigiad"},
};

inline constexpr Text kBlind{
    .en = "No file is scanned when it changes. Scans on demand work, and so does everything else.",
    .es =
        "No se analiza ningún archivo al cambiar. Los análisis a petición funcionan, y lo demás "
        "también."};

inline constexpr HealPlan kRetry{
    .action = Heal::RetryFileMonitor, .attempts = 60, .backoff = std::chrono::milliseconds{2000}};

inline constexpr std::array kCauses{
    Cause{
        .word = "no-permission",
        .description = {.en = "The kernel does not permit watching file systems: {error}. Missing: "
                              "{missing_capabilities}.",
                        .es = "El núcleo no permite vigilar sistemas de archivos: {error}. Falta: "
                              "{missing_capabilities}."},
        .lost = kBlind,
        .remedy = kPermission,
        .heal = kRetry},
    Cause{.word = "not-in-kernel",
          .description = {.en = "This kernel cannot watch file systems: {error}",
                          .es = "Este núcleo no puede vigilar sistemas de archivos: {error}"},
          .lost = kBlind,
          .remedy = kKernel},
    Cause{.word = "limit-reached",
          .description = {.en = "A limit of the kernel is used up: {error} (groups per user: "
                                "{group_limit}).",
                          .es = "Un límite del núcleo está agotado: {error} (grupos por usuario: "
                                "{group_limit})."},
          .lost = kBlind,
          .remedy = kLimit,
          .heal = kRetry},
    Cause{.word = "fs-unsupported",
          .description = {.en = "These mounts refuse to be watched: {mount_names}.",
                          .es = "Estos montajes no admiten vigilancia: {mount_names}."},
          .lost =
              {.en = "Changes below these mounts are not seen. {watched} file systems are watched.",
               .es = "No se ven los cambios bajo estos montajes. Se vigilan {watched} sistemas de "
                     "archivos."},
          .remedy = kMounts,
          .heal = kRetry},
    Cause{.word = "lost",
          .description = {.en = "Watching ended while it ran: {error}",
                          .es = "La vigilancia terminó mientras funcionaba: {error}"},
          .lost = kBlind,
          .remedy = kLostSteps,
          .heal = kRetry},
    Cause{.word = "nothing-to-watch",
          .description = {.en = "None of the folders of `watch` in the policy exists.",
                          .es = "No existe ninguna de las carpetas de `watch` de la política."},
          .lost = kBlind,
          .remedy = kMounts},
};

inline std::string_view cause_of(int number) {
    switch (number) {
        case EPERM:
        case EACCES:
            return "no-permission";
        case EMFILE:
        case ENOSPC:
            return "limit-reached";
        default:
            return "not-in-kernel";
    }
}

inline Finding unwatched(const Facts::FileMonitor& files) {
    Evidence::List mounts;
    Evidence::List names;
    bool permission = false;
    bool limit = false;
    for (const auto& mount : files.unwatched) {
        constexpr std::size_t kMostShown = 50;
        permission = permission || mount.error_number == EPERM;
        limit = limit || mount.error_number == ENOSPC || mount.error_number == EMFILE;
        if (mounts.size() < kMostShown) {
            mounts.emplace_back(Evidence::Members{
                {"path", mount.path}, {"type", mount.type}, {"error", mount.error}});
            names.emplace_back(mount.path);
        }
    }
    Evidence::List capabilities;
    for (const auto& one : files.missing_capabilities) {
        capabilities.emplace_back(one);
    }
    const bool all = files.watched == 0;
    const auto cause = all && permission ? "no-permission"
                       : limit           ? "limit-reached"
                                         : "fs-unsupported";
    return Finding::failing(all ? Severity::Critical : Severity::Major,
                            cause,
                            {{"call", "fanotify_mark"},
                             {"error", files.unwatched.front().error},
                             {"errno", files.unwatched.front().error_number},
                             {"watched", static_cast<std::uint64_t>(files.watched)},
                             {"group_limit", files.group_limit},
                             {"missing_capabilities", std::move(capabilities)},
                             {"mounts", std::move(mounts)},
                             {"mount_names", std::move(names)}});
}

inline Finding probe(const Facts& facts, const Timing& /*timing*/) {
    const auto& files = facts.files;
    if (files.refused) {
        Evidence::List capabilities;
        for (const auto& one : files.missing_capabilities) {
            capabilities.emplace_back(one);
        }
        return Finding::failing(Severity::Critical,
                                cause_of(files.refused->code.value()),
                                {{"call", "fanotify_init"},
                                 {"errno", files.refused->code.value()},
                                 {"error", files.refused->message()},
                                 {"watched", 0},
                                 {"group_limit", files.group_limit},
                                 {"missing_capabilities", std::move(capabilities)}});
    }
    if (!files.known) {
        return Finding::unknown("marks are being set");
    }
    if (!files.read_error.empty()) {
        return Finding::failing(Severity::Critical,
                                "lost",
                                {{"call", "read"},
                                 {"error", files.read_error},
                                 {"watched", static_cast<std::uint64_t>(files.watched)}});
    }
    if (!files.unwatched.empty()) {
        return unwatched(files);
    }
    if (files.watched == 0) {
        return Finding::failing(Severity::Critical, "nothing-to-watch", {{"watched", 0}});
    }
    return Finding::ok();
}

}  // namespace filesystem_monitor_failed_to_start_parts

inline constexpr Fault filesystem_monitor_failed_to_start{
    .id = 8,
    .key = "filesystem-monitor-failed-to-start",
    .severity = Severity::Critical,
    .title = {.en = "Real-time file-system monitor failed to start",
              .es = "Error al iniciar el monitor del sistema de archivos en tiempo real"},
    .summary = {.en =
                    "Raised when the kernel refuses to watch file systems (critical), or only some "
                    "of them (major).",
                .es = "Se notifica cuando el núcleo se niega a vigilar los sistemas de archivos "
                      "(crítico), o solo algunos de ellos (grave)."},
    .gate = "files.monitor_copies_and_moves",
    .wanted = [](const Facts::Wanted& wanted) { return wanted.copies_and_moves; },
    .causes = filesystem_monitor_failed_to_start_parts::kCauses,
    .probe = filesystem_monitor_failed_to_start_parts::probe,
    .timing = {.clear_after = std::chrono::milliseconds{500}},
};

}  // namespace vigia::health::faults
