// SPDX-License-Identifier: GPL-2.0-or-later
#include "health/repairs.h"

#include <array>

namespace vigia::health {
namespace {

struct Known {
    Heal action;
    std::string_view name;
    Text text;
};

constexpr std::array kKnown{
    Known{Heal::None, "none", {.en = "nothing", .es = "nada"}},
    Known{Heal::RestoreAccess,
          "restore-access",
          {.en = "set owners and modes of the product's folders and files as they were installed",
           .es = "pone propietarios y modos de las carpetas y archivos del producto como en la "
                 "instalación"}},
    Known{Heal::CreateScanUser,
          "create-scan-user",
          {.en = "create the system user and group vigia-scan, whichever is missing, and move the "
                 "scan service to it",
           .es = "crea el usuario y el grupo de sistema vigia-scan, lo que falte, y pasa a él el "
                 "servicio de análisis"}},
    Known{Heal::SetDefinitionsAside,
          "set-definitions-aside",
          {.en = "move the definition file that does not load to rejected/ and load the rest",
           .es = "mueve a rejected/ el archivo de definiciones que no se carga y carga el resto"}},
    Known{Heal::RetryLoad,
          "retry-load",
          {.en = "start the scan service again", .es = "inicia de nuevo el servicio de análisis"}},
    Known{Heal::RetryFileMonitor,
          "retry-file-monitor",
          {.en = "open the kernel's event groups and set the marks again",
           .es = "abre los grupos de eventos del núcleo y pone las marcas de nuevo"}},
    Known{Heal::InstallHeaders,
          "install-headers",
          {.en = "install the package with the headers of the running kernel, with this host's "
                 "package manager",
           .es = "instala el paquete con las cabeceras del núcleo en uso, con el gestor de "
                 "paquetes de este equipo"}},
    Known{Heal::InstallSelinuxModule,
          "install-selinux-module",
          {.en = "install or enable the SELinux module vigia-bpf that comes with the connector",
           .es = "instala o activa el módulo de SELinux vigia-bpf que viene con el conector"}},
    Known{Heal::RetryKernelMonitor,
          "retry-kernel-monitor",
          {.en = "load the programs for processes and connections into the kernel again",
           .es = "carga de nuevo en el núcleo los programas para procesos y conexiones"}},
};

constexpr const Known& known(Heal action) {
    for (const auto& one : kKnown) {
        if (one.action == action) {
            return one;
        }
    }
    return kKnown[0];
}

static_assert(known(Heal::InstallSelinuxModule).name == "install-selinux-module");
static_assert(known(Heal::RetryFileMonitor).name == "retry-file-monitor");

}  // namespace

std::string_view name_of(Heal action) {
    return known(action).name;
}

Text describe(Heal action) {
    return known(action).text;
}

}  // namespace vigia::health
