// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for libFuzzer's main where the build has none: runs one target over its stored corpus.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Returns how many files were replayed. A folder that is missing or empty gives 0.
std::size_t replay(const std::filesystem::path& folder) {
    std::size_t count = 0;
    if (!std::filesystem::is_directory(folder)) {
        return count;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<char> bytes((std::istreambuf_iterator<char>(file)),
                                      std::istreambuf_iterator<char>());
        // A crash ends the program: this line, unbuffered, says which input it was.
        std::fprintf(stderr, "%s (%zu bytes)\n", entry.path().c_str(), bytes.size());
        const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
        LLVMFuzzerTestOneInput(input.data(), input.size());
        ++count;
    }
    return count;
}

int replay_all(int count, char** folders) {
    LLVMFuzzerTestOneInput(nullptr, 0);
    for (int i = 1; i < count; ++i) {
        const std::size_t replayed = replay(folders[i]);
        if (replayed == 0) {
            std::fprintf(stderr, "%s: no inputs; a fuzz target needs a corpus\n", folders[i]);
            return 1;
        }
        std::fprintf(stderr, "%s: %zu inputs\n", folders[i], replayed);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return replay_all(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replay: %s\n", error.what());
        return 1;
    }
}
