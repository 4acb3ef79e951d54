// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/builtin.h"

#include <fmt/format.h>

#include <string_view>

#include "base/text.h"
#include "definitions/signatures.h"

namespace vigia::definitions {
namespace {

// The 68 bytes of https://www.eicar.org/download-anti-malware-testfile/, in hexadecimal.
constexpr std::string_view kEicarHex =
    "58354f2150254041505b345c505a58353428505e2937434329377d24"
    "45494341522d5354414e444152442d414e544956495255532d544553542d46494c45"
    "2124482b482a";

// "VIGIA-CANARY-" and 32 digits drawn once at random, in hexadecimal: no file has it by chance.
constexpr std::string_view kCanaryHex =
    "56494749412d43414e4152592d"
    "3731646663363963663930663337643936656130386261643564353064386363";

std::string from_constant(std::string_view hex) {
    std::string text;
    if (const auto bytes = from_hex(hex)) {
        for (const auto byte : *bytes) {
            text += static_cast<char>(byte);
        }
    }
    return text;
}

}  // namespace

std::string canary_content() {
    return from_constant(kCanaryHex);
}

std::string eicar_content() {
    return from_constant(kEicarHex);
}

std::string builtin_signatures() {
    // Target 0: any file; offset 0: only at its beginning.
    return fmt::format("Eicar-Test-Signature:0:0:{}\nVigia.Canary:0:0:{}\n", kEicarHex, kCanaryHex);
}

}  // namespace vigia::definitions
