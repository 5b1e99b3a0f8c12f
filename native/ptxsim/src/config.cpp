#include "config.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

namespace ptxsim {

namespace {

using Setter = std::function<bool(Config&, const std::string&)>;

bool parse_u64(const std::string& text, u64* value) {
    char* end = nullptr;
    *value = std::strtoull(text.c_str(), &end, 0);
    return !text.empty() && *end == '\0' && text[0] != '-';
}

template <class T>
Setter number(T Config::*field, u64 least, u64 most) {
    return [=](Config& config, const std::string& text) {
        u64 value;
        if (!parse_u64(text, &value) || value < least || value > most) {
            return false;
        }
        config.*field = (T)value;
        return true;
    };
}

Setter flag(bool Config::*field) {
    return [=](Config& config, const std::string& text) {
        config.*field = text == "1";
        return text == "0" || text == "1";
    };
}

const std::map<std::string, Setter, std::less<>>& setters() {
    static const std::map<std::string, Setter, std::less<>> all = {
        {"CHECK", flag(&Config::check)},
        {"COUNTERS", flag(&Config::counters)},
        {"QUIET", flag(&Config::quiet)},
        {"ASYNC",
         [](Config& config, const std::string& text) {
             config.eager = text == "eager";
             return text == "eager" || text == "late";
         }},
        {"SCHEDULE",
         [](Config& config, const std::string& text) {
             config.schedule = text == "reverse"    ? Schedule::Reverse
                               : text == "shuffled" ? Schedule::Shuffled
                                                    : Schedule::Forward;
             return text == "forward" || text == "reverse" || text == "shuffled";
         }},
        {"SEED", number(&Config::seed, 0, ~0ull)},
        {"THREADS", number(&Config::threads, 1, 64)},
        {"DEVICE_MEMORY", number(&Config::device_memory, 1, 1ull << 46)},
        {"FILL_LIMIT", number(&Config::fill_limit, 0, ~0ull)},
        {"COMPUTE_CAPABILITY", number(&Config::compute_capability, 30, 200)},
        {"MULTIPROCESSORS", number(&Config::multiprocessors, 1, 1024)},
        {"SHARED_OPTIN", number(&Config::shared_optin, 48 << 10, 227 << 10)},
        {"DRIVER_VERSION", number(&Config::driver_version, 1000, 99999)},
        {"DEVICES", number(&Config::devices, 0, 16)},
        {"NAME",
         [](Config& config, const std::string& text) {
             config.name = text;
             return !text.empty();
         }},
        {"WATCHDOG", number(&Config::watchdog, 1, ~0ull)},
        {"FAIL_LAUNCH", number(&Config::fail_launch, 0, ~0ull)},
        {"FAIL_ALLOC", number(&Config::fail_alloc, 0, ~0ull)},
        {"LOSE_DEVICE", number(&Config::lose_device, 0, ~0ull)},
        {"INIT_ERROR", number(&Config::init_error, 0, 999)},
    };
    return all;
}

void apply_environment(Config& config) {
    for (const auto& [key, set] : setters()) {
        const char* value = std::getenv(("FARM_PTXSIM_" + key).c_str());
        if (value != nullptr && !set(config, value)) {
            std::fprintf(stderr, "ptxsim: FARM_PTXSIM_%s=%s is not a value it can have; the default is used\n",
                         key.c_str(), value);
        }
    }
}

}  // namespace

Config& config() {
    static Config current = [] {
        Config fresh;
        apply_environment(fresh);
        return fresh;
    }();
    return current;
}

bool configure(std::string_view key, std::string_view value, std::string* why) {
    std::string name(key);
    for (char& c : name) {
        c = c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
    }
    const auto found = setters().find(name);
    if (found == setters().end()) {
        *why = "there is no setting " + name;
        return false;
    }
    Config changed = config();
    if (!found->second(changed, std::string(value))) {
        *why = std::string(value) + " is no value of " + name;
        return false;
    }
    config() = changed;
    return true;
}

void reset_config() {
    Config fresh;
    apply_environment(fresh);
    config() = fresh;
}

}  // namespace ptxsim
