// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/scan_samples.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/text.h"
#include "support/playground.h"

namespace vigia::test {
namespace {

constexpr std::string_view kTestFiles = "/usr/share/clamav-testfiles";

std::string hex(std::string_view text) {
    return to_hex(std::as_bytes(std::span(text)));
}

void append_number(std::string& to, std::uint32_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
        to.push_back(static_cast<char>((value >> (8U * i)) & 0xffU));
    }
}

// CRC-32 as ZIP, RAR and Ethernet have it.
std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t crc = ~0U;
    for (const char byte : bytes) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
        }
    }
    return ~crc;
}

std::string with_header_crc(const std::string& header) {
    std::string block;
    append_number(block, crc32(header) & 0xffffU, 2);
    return block + header;
}

std::string archive_header() {
    std::string header = "s";  // block type 0x73
    append_number(header, 0, 2);
    append_number(header, 13, 2);
    append_number(header, 0, 4);
    append_number(header, 0, 2);
    return with_header_crc(header);
}

std::string file_header(std::string_view name, std::string_view content) {
    const auto size = static_cast<std::uint32_t>(content.size());
    constexpr std::uint32_t kFixed = 32;
    std::string header = "t";          // block type 0x74
    append_number(header, 0x8000, 2);  // a block with data after it
    append_number(header, kFixed + static_cast<std::uint32_t>(name.size()), 2);
    append_number(header, size, 4);
    append_number(header, size, 4);
    append_number(header, 3, 1);  // made on Unix
    append_number(header, crc32(content), 4);
    append_number(header, 0x5a210000, 4);  // a date
    append_number(header, 20, 1);          // version needed
    append_number(header, 0x30, 1);        // stored
    append_number(header, static_cast<std::uint32_t>(name.size()), 2);
    append_number(header, 0100644, 4);
    return with_header_crc(header.append(name));
}

}  // namespace

std::string eicar() {
    return std::string(R"(X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-)") +
           "ANTIVIRUS-TEST-FILE!$H+H*";
}

std::string hook_marker(std::string_view word) {
    return std::string("VIGIA-") + "TEST-" + std::string(word);
}

void write_definitions(const std::filesystem::path& folder) {
    std::filesystem::create_directories(folder);
    write_file(folder / "eicar.ndb",
               "Eicar-Test-Signature:0:0:" + hex(eicar()) + "\n" +
                   "Vigia.Test.Html:3:*:" + hex("vigia-understood") + "\n");
    write_file(folder / "clam.hdb", "aa15bcf478d165efd2065190eb473bcb:544:clam.exe\n");
}

std::string sample_html() {
    return "<html><head><title>sample</title></head><body>Vigia-Understood</body></html>";
}

std::string utf16be(std::string_view ascii) {
    std::string text = "\xfe\xff";
    for (const char letter : ascii) {
        text.push_back('\0');
        text.push_back(letter);
    }
    return text;
}

std::string utf16le(std::string_view ascii) {
    std::string text = "\xff\xfe";
    for (const char letter : ascii) {
        text.push_back(letter);
        text.push_back('\0');
    }
    return text;
}

std::string stored_rar(std::string_view name, std::string_view content) {
    const std::string mark("Rar!\x1a\x07\x00", 7);
    return mark + archive_header() + file_header(name, content) + std::string(content);
}

std::vector<std::filesystem::path> clamav_test_files() {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(kTestFiles)) {
        for (const auto& entry : std::filesystem::directory_iterator(kTestFiles)) {
            files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    return files;
}

}  // namespace vigia::test
