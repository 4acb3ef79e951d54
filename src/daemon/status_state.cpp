// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/status_state.h"

namespace vigia::daemon {

std::pair<std::string, std::string> overall_state(const Status& status) {
    if (status.scan.state == "failed") {
        return {"unprotected", "the scan service does not run: " + status.scan.detail};
    }
    for (const auto& monitor : status.monitors) {
        if (monitor.wanted && monitor.state == "failed") {
            return {"unprotected", "monitor '" + monitor.name + "' failed: " + monitor.detail};
        }
    }
    if (!status.self_test || status.scan.state == "starting") {
        return {"starting", "the first self-test has not passed yet"};
    }
    if (!status.self_test->ok) {
        std::string stage = "unknown";
        for (const auto& step : status.self_test->stages) {
            if (!step.ok) {
                stage = step.name;
                break;
            }
        }
        return {"unprotected", "the self-test failed at stage '" + stage + "'"};
    }
    for (const auto& monitor : status.monitors) {
        if (monitor.wanted && monitor.state == "unknown") {
            return {"unknown", "monitor '" + monitor.name + "' has not reported"};
        }
        if (monitor.wanted && monitor.state == "partial") {
            return {"degraded", "monitor '" + monitor.name + "': " + monitor.detail};
        }
    }
    if (!status.policy_valid) {
        return {"degraded", "the policy file has errors; the last good policy is in force"};
    }
    return {"protected", ""};
}

}  // namespace vigia::daemon
