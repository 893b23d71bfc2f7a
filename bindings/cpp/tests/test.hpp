// What the test programs share. Each takes ENDPOINT DIRECTORY: an emulator, whose folder is in the variable STORE, and an empty folder.
#ifndef TEST_HPP
#define TEST_HPP

#include <fstream>
#include <sstream>

#include "cos_slice.hpp"

extern "C" {
#include "../../../tests/capi/check.h"
}

inline constexpr const char *app_id = "1251668577";
inline constexpr const char *secret_id = "AKIDtest";
inline constexpr const char *secret_key = "secret";
inline constexpr std::int64_t slice = 512 * 1024;

/// The settings of a client with the emulator's key.
inline cos_slice::config settings(const char *address = endpoint)
{
    return cos_slice::config{}.endpoint(address).secret_key(app_id, secret_id, secret_key);
}

/// Bytes that are different for different seeds.
inline std::string content(std::size_t size, unsigned seed)
{
    std::string bytes(size, '\0');
    unsigned state = seed * 2654435761U + 1;
    for (char &byte : bytes) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

inline std::string bytes_of(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    CHECK(file.is_open());
    std::ostringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
}

/// The object as the emulator keeps it.
inline std::string stored(const std::string &bucket, const std::string &path)
{
    const char *store = std::getenv("STORE");
    CHECK(store != nullptr);
    return bytes_of(std::string(store) + "/objects/" + bucket + path);
}

inline void write(const std::string &path, std::string_view bytes)
{
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    CHECK(file.good());
}

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

#define CHECK_ENDED_WITH(error_, status_, text_) check_ended_with(__FILE__, __LINE__, (error_), (status_), (text_))

inline void check_ended_with(const char *file, int line, const cos_slice::error &error, cos_slice::status wanted, const char *text)
{
    if (error.status() == wanted && has(error.message(), text))
        return;
    std::fprintf(stderr, "%s:%d: wanted %s with \"%s\", got %s: %s\n", file, line, cos_slice::status_name(wanted), text,
                 cos_slice::status_name(error.status()), error.message());
    std::exit(1);
}

#if COS_SLICE_HPP_EXCEPTIONS
/// What the call throws; the test fails where that is something else, or nothing.
template <class Exception, class Call>
Exception thrown_by(Call call, const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    try {
        call();
    } catch (const Exception &thrown) {
        return thrown;
    } catch (const std::exception &other) {
        std::fprintf(stderr, "%s:%d: another exception was thrown: %s\n", file, line, other.what());
        std::exit(1);
    }
    std::fprintf(stderr, "%s:%d: nothing was thrown\n", file, line);
    std::exit(1);
}

/// What an exception of this type says.
template <class Exception>
std::string said_by(const std::exception_ptr &exception)
{
    CHECK(exception != nullptr);
    return thrown_by<Exception>([&] { std::rethrow_exception(exception); }).what();
}
#endif

/// What a closure of this has captured, to see that closures are destroyed.
class witness {
public:
    /// To be captured.
    [[nodiscard]] std::shared_ptr<int> captured() const { return inside_; }
    /// How many copies are captured now.
    [[nodiscard]] long captures() const { return inside_.use_count() - 1; }

private:
    std::shared_ptr<int> inside_ = std::make_shared<int>(0);
};

#endif
