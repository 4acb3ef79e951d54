// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "control/control_server.h"

namespace vigia::daemon {

class Components;

// The routes of docs/API.md. The handler is called on the control server's threads.
[[nodiscard]] control::ControlServer::Handler make_api(Components& components);

}  // namespace vigia::daemon
