// SPDX-License-Identifier: GPL-2.0-or-later
#include <vigia_network.skel.h>
#include <vigia_network_perf.skel.h>
#include <vigia_process.skel.h>
#include <vigia_process_perf.skel.h>

#include "sensors/ebpf/bpf_object.h"

namespace vigia::sensors {
namespace {

std::span<const std::byte> bytes_of(const void* (*embedded)(std::size_t*)) {
    std::size_t size = 0;
    const auto* bytes = embedded(&size);
    return std::as_bytes(std::span(static_cast<const char*>(bytes), size));
}

}  // namespace

std::span<const std::byte> process_object(Delivery delivery) {
    return bytes_of(delivery == Delivery::RingBuffer ? vigia_process__elf_bytes
                                                     : vigia_process_perf__elf_bytes);
}

std::span<const std::byte> network_object(Delivery delivery) {
    return bytes_of(delivery == Delivery::RingBuffer ? vigia_network__elf_bytes
                                                     : vigia_network_perf__elf_bytes);
}

}  // namespace vigia::sensors
