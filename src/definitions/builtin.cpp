// SPDX-License-Identifier: GPL-2.0-or-later
#include "definitions/builtin.h"

#include <span>

#include "base/text.h"
#include "definitions/builtin_set.h"

namespace vigia::definitions {
namespace {

// In pieces, so that neither this file nor the program is taken for what it describes.
std::string eicar_text() {
    std::string text = "X5O!P%@AP[4\\PZX54(P^)";
    text += "7CC)7}$EICAR-STANDARD-";
    text += "ANTIVIRUS-TEST-FILE!$H+H*";
    return text;
}

// Nothing but our own self-test has a reason to hold this.
std::string canary_text() {
    std::string text = "VIGIA-CANARY-";
    text += "5b1f0c9a-3c52-4f0e-";
    text += "9d57-1e6a2c40b7d8";
    return text;
}

// ClamAV's body signatures (.ndb): name, target (0: any file), offset, content in hex.
std::string body_signature(const std::string& name, const std::string& offset, const std::string& text) {
    return name + ":0:" + offset + ":" + to_hex(std::as_bytes(std::span(text))) + "\n";
}

}  // namespace

std::string canary_content() {
    return canary_text() + "\n";
}

std::string eicar_content() {
    return eicar_text();
}

std::vector<BuiltinFile> builtin_set() {
    // EICAR counts at the start of a file only, as its definition demands: documents quote it.
    return {{.name = "vigia-builtin.ndb",
             .content = body_signature("Eicar-Test-Signature", "0", eicar_text()) +
                        body_signature("Vigia.Canary", "0", canary_text())}};
}

}  // namespace vigia::definitions
