// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vigia::test {

// A temporary folder of its own in a mount namespace of the test's own (entered once per process),
// so that mounts and watches touch nothing else on the machine. All of it goes with the object.
class Playground {
public:
    Playground();
    Playground(const Playground&) = delete;
    Playground& operator=(const Playground&) = delete;
    ~Playground();

    [[nodiscard]] const std::filesystem::path& root() const { return root_; }

    // Mount points under root(), unmounted in reverse order at the end.
    [[nodiscard]] std::filesystem::path tmpfs(const std::string& name, const std::string& options);
    [[nodiscard]] std::filesystem::path loop(const std::string& name,
                                             const std::string& type,
                                             unsigned mebibytes);
    void unmount(const std::filesystem::path& point);

private:
    std::filesystem::path root_;
    std::vector<std::filesystem::path> mounts_;
};

void write_file(const std::filesystem::path& path, const std::string& content);
[[nodiscard]] std::string read_text(const std::filesystem::path& path);

}  // namespace vigia::test
