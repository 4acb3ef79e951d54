// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/fact.h"
#include "model/host/kernel.h"

namespace vigia {

// What a kernel can or cannot do, as far as we ask. host/kernel_features.cpp has the table.
enum class KernelFeature : std::uint8_t {
    Fanotify,
    FanotifyPermissions,
    FanotifyMarkFilesystem,
    FanotifyOpenExecPerm,
    FanotifyReportFid,
    FanotifyReportDfidName,
    FanotifyReportPidfd,
    FanotifyReportTargetFid,
    FanotifyRename,
    FanotifyMarkEvictable,
    BpfSyscall,
    BpfTracing,
    BpfRawTracepoint,
    BpfBtfLoad,
    BpfLruHash,
    BpfLpmTrie,
    BpfMapInMap,
    BpfPerfBuffer,
    BpfRingBuffer,
    BpfGlobalData,
    BpfCgroupSkb,
    BpfCgroupMulti,
    BpfCgroupConnect,
    BpfCgroupSendmsg,
    SockSetStateTracepoint,
    KernelBtf,
};

using FeatureFacts = std::map<KernelFeature, Fact<bool>>;

// What of ours needs the kernel.
enum class KernelCapability : std::uint8_t {
    FilesByHandle,      // the file monitor at its best: "fanotify-fid"
    FilesByDescriptor,  // its lower rung, "fanotify-fd": no links, moves or names
    ExecGate,
    Processes,  // the eBPF rung, for kernel BTF or BTF derived from headers
    Network,
    NetworkBlock,
};

struct MissingFeature {
    KernelFeature feature = KernelFeature::Fanotify;
    std::string name = {};             // "BPF ring buffer"
    KernelVersion first_version = {};  // first mainline kernel that has it
    std::string why = {};              // printable: "CONFIG_X is not set", "refused: …"

    bool operator==(const MissingFeature&) const = default;
};

struct CapabilityDecision {
    enum class State : std::uint8_t { Ok, Missing, Unknown };

    KernelCapability capability = KernelCapability::FilesByHandle;
    State state = State::Unknown;
    std::vector<MissingFeature> missing = {};  // when Missing; of alternatives, all of them
    std::string why_unknown = {};              // when Unknown

    bool operator==(const CapabilityDecision&) const = default;
};

struct KernelFeatures {
    KernelRelease release = {};
    bool probed = false;  // by asking the running kernel, not concluded from its version
    FeatureFacts features = {};
    std::vector<CapabilityDecision> capabilities = {};
};

}  // namespace vigia
