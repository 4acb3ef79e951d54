// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/ebpf/derived_btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/subprocess.h"
#include "sensors/ebpf/load_failure.h"

namespace vigia::sensors {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostOutput = 1U << 20U;
constexpr int kLogLines = 20;

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "x86";
constexpr std::string_view kTarget = "x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "arm64";
constexpr std::string_view kTarget = "aarch64-linux-gnu";
#else
#error "state the kernel's name of this architecture here"
#endif

// A variable of each structure: only what a variable has is described in full. struct mount is in
// no header, but its beginning has been this since Linux 3.13.
constexpr std::string_view kSource = R"(
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/binfmts.h>
#include <linux/bpf.h>
#include <linux/cgroup-defs.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kernfs.h>
#include <linux/mm_types.h>
#include <linux/mount.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>
#include <net/net_namespace.h>
#include <net/sock.h>
struct mount {
    struct hlist_node mnt_hash;
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
};
#define KEEP(type) struct type vigia_keep_##type
KEEP(task_struct); KEEP(signal_struct); KEEP(cred); KEEP(mm_struct); KEEP(linux_binprm);
KEEP(nsproxy); KEEP(pid); KEEP(upid); KEEP(pid_namespace); KEEP(fs_struct);
KEEP(file); KEEP(inode); KEEP(super_block); KEEP(dentry); KEEP(mount); KEEP(vfsmount);
KEEP(css_set); KEEP(cgroup); KEEP(kernfs_node);
KEEP(net); KEEP(socket); KEEP(sock); KEEP(inet_sock); KEEP(tcp_sock);
enum bpf_func_id vigia_keep_helpers;
)";

// A folder of our own that goes when we are done.
class WorkFolder {
public:
    static Result<WorkFolder> make(const fs::path& parent) {
        auto name = (parent / "derive-XXXXXX").native();
        if (::mkdtemp(name.data()) == nullptr) {
            return fail_errno("make a folder in " + parent.native());
        }
        return WorkFolder(name);
    }

    WorkFolder(WorkFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

    WorkFolder(const WorkFolder&) = delete;
    WorkFolder& operator=(const WorkFolder&) = delete;
    WorkFolder& operator=(WorkFolder&&) = delete;

    ~WorkFolder() {
        if (!path_.empty()) {
            std::error_code ignored;
            fs::remove_all(path_, ignored);
        }
    }

    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    explicit WorkFolder(fs::path path) : path_(std::move(path)) {}

    fs::path path_;
};

Result<> run_clang(const DerivedBtf& options,
                   std::vector<std::string> arguments,
                   const fs::path& folder) {
    const auto log =
        TRY(open_at(AT_FDCWD, (folder / "log").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
    auto child = TRY(Subprocess::start({.program = options.clang,
                                        .arguments = std::move(arguments),
                                        .descriptors = {{log.get(), STDERR_FILENO}}}),
                     options.clang.native());
    const auto status = child.wait(options.deadline);
    if (!status) {
        return fail(std::errc::timed_out, "compile the kernel's headers");
    }
    if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) {
        const auto text = read_file(folder / "log", kMostOutput).value_or(std::string{});
        return fail(std::errc::executable_format_error,
                    "compile the kernel's headers: " + describe_wait_status(*status) + ": " +
                        tail_of(text, kLogLines));
    }
    return {};
}

std::vector<std::string> first_pass(const std::vector<fs::path>& folders, const fs::path& work) {
    std::vector<std::string> arguments{"-target", std::string(kTarget), "-nostdlibinc"};
    fs::path linux_headers;
    for (const auto& folder : folders) {
        arguments.push_back("-I" + folder.native());
        if (fs::exists(folder / "linux/kconfig.h")) {
            linux_headers = folder / "linux";
        }
    }
    for (const auto* forced : {"compiler-version.h", "kconfig.h", "compiler_types.h"}) {
        if (fs::exists(linux_headers / forced)) {  // the first is there since 5.13
            arguments.insert(arguments.end(), {"-include", (linux_headers / forced).native()});
        }
    }
    arguments.insert(arguments.end(),
                     {"-D__KERNEL__",
                      "-DKBUILD_MODNAME=\"vigia\"",
                      "-std=gnu11",
                      "-fshort-wchar",
                      "-Wno-everything",
                      "-O1",
                      "-g",
                      "-emit-llvm",
                      "-c",
                      (work / "types.c").native(),
                      "-o",
                      (work / "types.bc").native()});
    return arguments;
}

Result<> keep_btf(const fs::path& object, const fs::path& result) {
    struct Free {
        void operator()(btf* types) const noexcept { btf__free(types); }
    };

    const std::unique_ptr<btf, Free> types(btf__parse_elf(object.c_str(), nullptr));
    if (!types) {
        return fail_errno("read the types of " + object.native());
    }
    if (btf__find_by_name_kind(types.get(), "task_struct", BTF_KIND_STRUCT) < 0) {
        return fail(std::errc::executable_format_error, "the headers describe no task_struct");
    }
    std::uint32_t size = 0;
    const auto* bytes = static_cast<const char*>(btf__raw_data(types.get(), &size));
    if (bytes == nullptr) {
        return fail_errno("write out the types");
    }
    return replace_file(result, {bytes, size}, 0600);
}

}  // namespace

std::vector<fs::path> header_folders(const fs::path& build) {
    std::vector<fs::path> roots{build};
    constexpr std::string_view kInclude = "include ";
    constexpr std::string_view kMakefile = "/Makefile";
    std::error_code ignored;
    if (const auto source = build / "source"; fs::exists(source, ignored)) {
        roots.push_back(source);
    }
    const auto makefile = read_file(build / "Makefile", kMostOutput).value_or(std::string{});
    const std::string_view first(makefile.data(), std::min(makefile.find('\n'), makefile.size()));
    if (first.starts_with(kInclude) && first.ends_with(kMakefile)) {
        fs::path other(
            first.substr(kInclude.size(), first.size() - kInclude.size() - kMakefile.size()));
        if (!fs::exists(other, ignored)) {  // under another root: its neighbour of that name
            other = fs::weakly_canonical(build, ignored).parent_path() / other.filename();
        }
        roots.push_back(other);
    }
    const auto architecture = fs::path("arch") / kArchitecture / "include";
    std::vector<fs::path> folders;
    for (const auto& below : {architecture,
                              architecture / "generated",
                              fs::path("include"),
                              architecture / "uapi",
                              architecture / "generated/uapi",
                              fs::path("include/uapi"),
                              fs::path("include/generated/uapi")}) {
        for (const auto& root : roots) {
            if (fs::is_directory(root / below, ignored)) {
                folders.push_back(root / below);
            }
        }
    }
    return folders;
}

fs::path find_clang() {
    for (const auto* name : {"clang",
                             "clang-19",
                             "clang-18",
                             "clang-17",
                             "clang-16",
                             "clang-15",
                             "clang-14",
                             "clang-13",
                             "clang-11"}) {
        if (const auto path = fs::path("/usr/bin") / name; ::access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return {};
}

Result<fs::path> derive_btf(const DerivedBtf& options) {
    auto result = options.cache / (options.release + ".btf");
    if (options.release.empty() || options.release.find('/') != std::string::npos) {
        return fail(std::errc::invalid_argument, "no release of a kernel: " + options.release);
    }
    if (::access(result.c_str(), R_OK) == 0) {
        return result;
    }
    const auto folders = header_folders(options.build);
    if (folders.empty() || options.clang.empty()) {
        return fail(std::errc::no_such_file_or_directory,
                    folders.empty() ? "headers in " + options.build.native() : "clang");
    }
    const auto work = TRY(WorkFolder::make(options.cache));
    TRY(replace_file(work.path() / "types.c", kSource, 0600));
    TRY(run_clang(options, first_pass(folders, work.path()), work.path()));
    // In two steps, so that the headers are read as this machine's and described as bpf's.
    const auto object = work.path() / "types.o";
    TRY(run_clang(options,
                  {"-target",
                   "bpf",
                   "-Wno-override-module",
                   "-O1",
                   "-g",
                   "-c",
                   "-x",
                   "ir",
                   (work.path() / "types.bc").native(),
                   "-o",
                   object.native()},
                  work.path()));
    TRY(keep_btf(object, result));
    return result;
}

}  // namespace vigia::sensors
