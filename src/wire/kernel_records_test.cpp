// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/kernel_records.h"

#include <gtest/gtest.h>
#include <vigia_records.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

namespace vigia::wire {
namespace {

using namespace std::string_literals;

std::vector<std::byte> exec_record(const std::string& path,
                                   const std::string& name,
                                   const std::string& arguments) {
    vigia_exec exec{};
    exec.header.kind = VIGIA_KIND_EXEC;
    exec.header.time_ns = 5;
    exec.pid = 12;
    exec.start_ns = 34;
    exec.login_uid = ~0U;
    exec.session = 7;
    exec.path_size = static_cast<std::uint16_t>(path.size());
    exec.name_size = static_cast<std::uint16_t>(name.size());
    exec.args_size = static_cast<std::uint16_t>(arguments.size());
    const auto text = path + name + arguments;
    constexpr auto kHead = offsetof(vigia_exec, data);
    exec.header.size = static_cast<std::uint32_t>(kHead + text.size());
    std::vector<std::byte> bytes(kHead);
    std::memcpy(bytes.data(), &exec, kHead);
    for (const char one : text) {
        bytes.push_back(static_cast<std::byte>(one));
    }
    return bytes;
}

std::vector<std::byte> flow_record(std::uint16_t kind) {
    vigia_flow flow{};
    flow.header.size = sizeof(flow);
    flow.header.kind = kind;
    flow.remote[10] = flow.remote[11] = 0xff;
    flow.remote[12] = 192;
    flow.remote[15] = 1;
    flow.remote_port = 443;
    flow.direction = VIGIA_DIRECTION_IN;
    std::vector<std::byte> bytes(sizeof(flow));
    std::memcpy(bytes.data(), &flow, bytes.size());
    return bytes;
}

TEST(KernelRecords, AnExecIsReadWithPathNameAndArguments) {
    const auto record =
        decode_kernel_record(exec_record("true\0bin\0usr\0"s, "./true\0"s, "true\0-x\0"s));
    ASSERT_TRUE(record);
    const auto& exec = std::get<ProcessExec>(*record);
    EXPECT_EQ(exec.process.path, "/usr/bin/true");
    EXPECT_EQ(exec.process.called_as, "./true");
    EXPECT_EQ(exec.process.arguments, "true\0-x\0"s);
    EXPECT_EQ(exec.process.who.key, (ProcessKey{.pid = 12, .start_ns = 34}));
    EXPECT_FALSE(exec.process.credentials.login_uid);
    EXPECT_EQ(exec.process.credentials.session, 7U);
}

TEST(KernelRecords, AMemoryFileHasNoFolderAndACutPathSaysSo) {
    EXPECT_EQ(path_of_components("memfd:x\0"s, false, false), "memfd:x");
    EXPECT_EQ(path_of_components("c\0b\0"s, true, true), "…/b/c");
    EXPECT_EQ(path_of_components("", true, false), "");
}

TEST(KernelRecords, AFlowIsReadAndPaddingBehindItIsIgnored) {
    auto bytes = flow_record(VIGIA_KIND_ACCEPT);
    bytes.resize(bytes.size() + 8);
    const auto record = decode_kernel_record(bytes);
    ASSERT_TRUE(record);
    const auto& flow = std::get<FlowEvent>(*record);
    EXPECT_EQ(flow.change, FlowChange::Accepted);
    EXPECT_EQ(to_text(flow.remote.address), "192.0.0.1");
    EXPECT_EQ(flow.remote.port, 443);
    EXPECT_EQ(flow.direction, FlowDirection::In);
}

TEST(KernelRecords, EveryShorterPieceOfARecordIsNothing) {
    for (const auto& whole : {exec_record("a\0"s, "b\0"s, "c\0"s), flow_record(VIGIA_KIND_CLOSE)}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            EXPECT_FALSE(decode_kernel_record(std::span(whole).first(size))) << size;
        }
        EXPECT_TRUE(decode_kernel_record(whole));
    }
}

TEST(KernelRecords, SizesThatDoNotAddUpAndUnknownNumbersAreNothing) {
    auto exec = exec_record("a\0"s, "b\0"s, "c\0"s);
    exec.at(offsetof(vigia_exec, path_size)) = std::byte{3};
    EXPECT_FALSE(decode_kernel_record(exec));
    EXPECT_FALSE(decode_kernel_record(flow_record(99)));
    auto flow = flow_record(VIGIA_KIND_CLOSE);
    flow.at(offsetof(vigia_flow, direction)) = std::byte{3};
    EXPECT_FALSE(decode_kernel_record(flow));
}

TEST(KernelRecords, AnIteratorsOutputIsCutIntoRecords) {
    auto bytes = flow_record(VIGIA_KIND_SOCKET);
    const auto second = exec_record("a\0"s, "", "");
    bytes.insert(bytes.end(), second.begin(), second.end());
    bytes.push_back(std::byte{1});
    std::span<const std::byte> rest = bytes;
    EXPECT_TRUE(std::holds_alternative<FlowEvent>(*take_kernel_record(rest)));
    EXPECT_TRUE(std::holds_alternative<ProcessExec>(*take_kernel_record(rest)));
    EXPECT_FALSE(take_kernel_record(rest));
    EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace vigia::wire
