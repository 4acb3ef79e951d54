// SPDX-License-Identifier: GPL-2.0-or-later
#include "sensors/fanotify/file_sensor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <ranges>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "base/text.h"
#include "sensors/fanotify/arranger.h"
#include "sensors/fanotify/foreign_watch.h"
#include "sensors/fanotify/groups.h"
#include "sensors/fanotify/layout.h"
#include "sensors/fanotify/mount_access.h"
#include "sensors/fanotify/reader.h"
#include "sensors/fanotify/shared.h"

namespace vigia::sensors {
namespace {

class Sensor final : public FileSensor {
public:
    Sensor(std::shared_ptr<Shared> shared, std::unique_ptr<Reader> reader, int handles, int files)
        : shared_(std::move(shared)),
          arranger_(*shared_, handles, files),
          reader_(std::move(reader)),
          thread_([this](const std::stop_token& stop) { reader_->run(stop); }) {}

    Sensor(const Sensor&) = delete;
    Sensor& operator=(const Sensor&) = delete;
    Sensor(Sensor&&) = delete;
    Sensor& operator=(Sensor&&) = delete;

    ~Sensor() override {
        thread_.request_stop();
        thread_.join();
        shared_->close();
    }

    void apply(const Plan& plan) override;
    [[nodiscard]] Result<UniqueFd> open_object(const ObjectId& object) const override;
    [[nodiscard]] FileSystemTraits traits(FileSystemId fs) const override;

    [[nodiscard]] bool is_watched(const std::string& path) const override {
        return shared_->map()->is_watched(path);
    }

    [[nodiscard]] State state() const override;

private:
    void watch_foreign(const Devices& devices);
    void tell_foreign(Place& place, dev_t device, const std::map<dev_t, int>& results) const;

    std::shared_ptr<Shared> shared_;
    std::mutex apply_mutex_;  // one apply at a time; guards arranger_
    Arranger arranger_;
    mutable std::mutex places_mutex_;  // guards the three below
    std::vector<KnownPlace> places_;
    std::unique_ptr<ForeignWatch> foreign_;
    int foreign_error_ = 0;  // why there is none although it is needed
    std::unique_ptr<Reader> reader_;
    std::jthread thread_;  // last: it uses all of the above
};

void Sensor::apply(const Plan& plan) {
    const std::scoped_lock lock(apply_mutex_);
    auto arranged = arranger_.apply(plan);
    watch_foreign(arranged.devices);
    const std::scoped_lock places_lock(places_mutex_);
    places_ = std::move(arranged.places);
}

void Sensor::watch_foreign(const Devices& devices) {
    const bool needed = std::ranges::any_of(std::views::values(devices), [](const Device& device) {
        return device.kind == Kind::Remote && device.is_wanted();
    });
    const std::scoped_lock lock(places_mutex_);
    if (!foreign_ && needed) {
        auto created = ForeignWatch::create(shared_);
        foreign_error_ = created ? 0 : created.error().code.value();
        foreign_ = created ? std::move(*created) : nullptr;
    }
    if (foreign_) {
        foreign_->apply(devices);
    }
}

void Sensor::tell_foreign(Place& place, dev_t device, const std::map<dev_t, int>& results) const {
    const auto result = results.find(device);
    if (!foreign_ || (result != results.end() && result->second != 0)) {
        place.state = "unwatched";
        place.error = foreign_ ? result->second : foreign_error_;
        place.detail = std::system_category().message(place.error);
        return;
    }
    place.state = "local-changes-only";
    place.backend = "fanotify-fd";
    place.detail = result == results.end()
                       ? "its server has not answered yet"
                       : "changes made by other machines or by its server are not seen";
}

FileSensor::State Sensor::state() const {
    State state;
    shared_->accounts().tell(state);
    const std::scoped_lock lock(places_mutex_);
    const auto results = foreign_ ? foreign_->results() : std::map<dev_t, int>{};
    for (const auto& known : places_) {
        state.places.push_back(known.place);
        if (known.foreign) {
            tell_foreign(state.places.back(), known.device, results);
        }
    }
    return state;
}

Result<UniqueFd> Sensor::open_object(const ObjectId& object) const {
    const auto map = shared_->map();
    const auto* fs = map->find(object.fs);
    if (fs == nullptr) {
        return std::unexpected(stale("no watched file system has this object"));
    }
    auto last = stale("no mount can be reached");
    for (const auto& mount : fs->mounts) {
        const auto root = open_mount(mount, fs->ids);
        if (!root) {
            last = root.error();
            continue;
        }
        auto opened = open_by_handle(root->get(), object.handle);
        if (opened || opened.error().code.value() == ESTALE) {
            return opened;
        }
        last = opened.error();
    }
    return std::unexpected(std::move(last));
}

FileSensor::FileSystemTraits Sensor::traits(FileSystemId fs) const {
    const auto map = shared_->map();
    const auto* found = map->find(fs);
    return found == nullptr ? FileSystemTraits{} : found->traits;
}

}  // namespace

Result<std::unique_ptr<FileSensor>> FileSensor::open(Observer observer) {
    std::vector<Reader::Source> sources;
    sources.push_back({.group = TRY(open_handle_group()), .mode = Reader::Mode::Handle});
    sources.push_back({.group = TRY(open_descriptor_group()), .mode = Reader::Mode::Descriptor});
    const int handles = sources[0].group.get();
    const int files = sources[1].group.get();
    auto shared = std::make_shared<Shared>(std::move(observer));
    auto reader = TRY(Reader::create("files", shared, std::move(sources)));
    try {
        return std::make_unique<Sensor>(std::move(shared), std::move(reader), handles, files);
    } catch (const std::system_error& error) {
        return std::unexpected(Error{.code = error.code(), .context = "start the reading thread"});
    }
}

Result<ObjectId> FileSensor::identify(int file) {
    constexpr std::size_t kRoom = sizeof(file_handle) + MAX_HANDLE_SZ;
    alignas(file_handle) std::array<char, kRoom> room{};
    auto* raw = reinterpret_cast<file_handle*>(room.data());
    raw->handle_bytes = MAX_HANDLE_SZ;
    int mount_id = 0;
    if (::name_to_handle_at(file, "", raw, &mount_id, AT_EMPTY_PATH) < 0) {
        return fail_errno("name to handle");
    }
    ObjectId object;
    object.fs = TRY(file_system_of(file));
    object.handle.type = raw->handle_type;
    object.handle.bytes.assign(room.data() + sizeof(file_handle), raw->handle_bytes);
    return object;
}

}  // namespace vigia::sensors
