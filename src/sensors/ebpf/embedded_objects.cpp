// SPDX-License-Identifier: GPL-2.0-or-later
#include <vigia_network.skel.h>
#include <vigia_process.skel.h>

#include "sensors/ebpf/bpf_object.h"

namespace vigia::sensors {

std::span<const std::byte> process_object() {
    std::size_t size = 0;
    const auto* bytes = vigia_process__elf_bytes(&size);
    return std::as_bytes(std::span(static_cast<const char*>(bytes), size));
}

std::span<const std::byte> network_object() {
    std::size_t size = 0;
    const auto* bytes = vigia_network__elf_bytes(&size);
    return std::as_bytes(std::span(static_cast<const char*>(bytes), size));
}

}  // namespace vigia::sensors
