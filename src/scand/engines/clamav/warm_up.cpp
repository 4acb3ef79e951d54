// SPDX-License-Identifier: GPL-2.0-or-later
#include "scand/engines/clamav/warm_up.h"

#include <clamav.h>

#include <array>
#include <bit>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace vigia::scand {
namespace {

// Into UTF-8 libclamav converts code pages of documents (its table of code pages), into UTF-16BE
// the text of HTML and mail, whatever its author says it is: so also the labels of the WHATWG's
// encoding standard. One name per glibc module is enough.
constexpr auto kCharacterSets = std::to_array<const char*>(
    {"UTF-7",        "UTF-16",       "UTF-16LE",     "UTF-16BE",     "UTF-32",
     "UTF-32LE",     "UTF-32BE",     "UCS-2",        "UCS-4",        "UCS-4LE",
     "UCS-4BE",      "UNICODE",      "US-ASCII",     "ISO-8859-1",   "ISO-8859-2",
     "ISO-8859-3",   "ISO-8859-4",   "ISO-8859-5",   "ISO-8859-6",   "ISO-8859-7",
     "ISO-8859-8",   "ISO-8859-9",   "ISO-8859-10",  "ISO-8859-11",  "ISO-8859-13",
     "ISO-8859-14",  "ISO-8859-15",  "ISO-8859-16",  "TIS-620",      "WINDOWS-874",
     "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254",
     "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "KOI8-R",
     "KOI8-U",       "KOI8-T",       "MACINTOSH",    "MAC-CYRILLIC", "MAC-UK",
     "IBM866",       "IBM437",       "IBM737",       "IBM775",       "IBM850",
     "IBM852",       "IBM855",       "IBM857",       "IBM858",       "IBM860",
     "IBM861",       "IBM862",       "IBM863",       "IBM864",       "IBM865",
     "IBM869",       "IBM874",       "IBM870",       "IBM871",       "IBM875",
     "IBM880",       "IBM905",       "IBM037",       "IBM500",       "IBM1025",
     "IBM1026",      "IBM1047",      "IBM1140",      "IBM273",       "IBM277",
     "IBM278",       "IBM280",       "IBM284",       "IBM285",       "IBM290",
     "IBM297",       "IBM420",       "IBM423",       "IBM424",       "ASMO_449",
     "SHIFT_JIS",    "CP932",        "EUC-JP",       "ISO-2022-JP",  "ISO-2022-JP-3",
     "EUC-KR",       "CP949",        "ISO-2022-KR",  "JOHAB",        "GB18030",
     "BIG5",         "GBK",          "EUC-CN",       "BIG5-HKSCS",   "EUC-TW"});

// OpenSSL reads its configuration and loads its providers at the first digest.
void use_digests() {
    for (const auto* name : {"md5", "sha1", "sha256"}) {
        std::array<unsigned char, 64> digest{};
        if (auto* context = ::cl_hash_init(name); context != nullptr) {
            ::cl_update_hash(context, "warm up", 7);
            ::cl_finish_hash(context, digest.data());
        }
    }
}

}  // namespace

WarmUp::WarmUp() {
    const auto none = std::bit_cast<iconv_t>(std::intptr_t{-1});
    const auto open = [&](const char* to, const char* from) {
        if (auto* converter = ::iconv_open(to, from); converter != none) {
            converters_.push_back(converter);
        }
    };
    for (const auto* name : kCharacterSets) {
        open("UTF-8", name);
    }
    // A module has both directions, so these add the targets alone.
    open("UTF-16BE", "UTF-8");
    open("UTF-8//TRANSLIT", "UTF-16LE");
    ::tzset();
    use_digests();
}

WarmUp::~WarmUp() {
    for (auto* converter : converters_) {
        ::iconv_close(converter);
    }
}

}  // namespace vigia::scand
