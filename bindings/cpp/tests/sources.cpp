// What is uploaded: files of any name, memory of any kind, descriptors, functions and streams.
#include <array>
#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "test.hpp"

static void a_file_may_have_a_name_that_is_not_utf_8()
{
    const std::string name = in_directory("caf\xe9.bin");
    write(name, "latin 1");
    cos_slice::client client{settings()};
    client.upload("sources", "/name").file(name).run();
    CHECK(stored("sources", "/name") == "latin 1");
    const auto error = thrown_by<cos_slice::error>([&] { client.upload("sources", "/none").file(name + "2").run(); });
    CHECK_ENDED_WITH(error, cos_slice::status::file_open, "caf");
    CHECK(error.os_errno() == ENOENT);
}

static void memory_may_be_a_text_or_any_container_of_bytes()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("sources", "/memory").overwrite();
    upload.memory("literal").run();
    CHECK(stored("sources", "/memory") == "literal");
    upload.memory(std::string("with a\0 inside", 14)).run();
    CHECK(stored("sources", "/memory") == std::string("with a\0 inside", 14));
    upload.memory(std::vector<unsigned char>{'v', 'e', 'c'}).run();
    CHECK(stored("sources", "/memory") == "vec");
    upload.memory(std::array<std::byte, 2>{std::byte{'b'}, std::byte{'y'}}).run();
    CHECK(stored("sources", "/memory") == "by");
    upload.memory("pointer", 4).run();
    CHECK(stored("sources", "/memory") == "poin");
    upload.memory("").run();
    CHECK(stored("sources", "/memory").empty());
}

static void a_descriptor_may_be_closed_at_once_and_a_range_be_chosen()
{
    write(in_directory("opened"), "0123456789");
    cos_slice::client client{settings()};
    const int descriptor = open(in_directory("opened"), O_RDONLY);
    CHECK(descriptor >= 0);
    auto upload = client.upload("sources", "/descriptor").descriptor(descriptor).range(2, 5);
    CHECK(close(descriptor) == 0);
    upload.run();
    CHECK(stored("sources", "/descriptor") == "23456");
    upload.range(8).overwrite().run();
    CHECK(stored("sources", "/descriptor") == "89");
}

static void a_function_gives_what_is_at_an_offset()
{
    const std::string bytes = content(3 * slice + 1, 3);
    cos_slice::client client{settings()};
    const auto read = [&](std::uint64_t offset, void *buffer, std::size_t size) -> std::int64_t {
        return static_cast<std::int64_t>(bytes.copy(static_cast<char *>(buffer), size, offset));
    };
    client.upload("sources", "/read_at").read_at(static_cast<std::int64_t>(bytes.size()), read).run();
    CHECK(stored("sources", "/read_at") == bytes);
}

static void a_negative_number_says_that_reading_failed()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("sources", "/failing").read_at(10, [](std::uint64_t, void *, std::size_t) { return -7; });
    auto error = thrown_by<cos_slice::error>([&] { upload.run(); });
    CHECK_ENDED_WITH(error, cos_slice::status::file_read, "");
    CHECK(error.callback_value() == -7);
    upload.stream(10, [](void *, std::size_t) { return -8; });
    error = thrown_by<cos_slice::error>([&] { upload.run(); });
    CHECK_ENDED_WITH(error, cos_slice::status::file_read, "");
    CHECK(error.callback_value() == -8);
}

static void a_stream_of_known_size_is_sent_as_it_comes()
{
    const std::string bytes = content(2 * slice + 1, 4);
    std::size_t at = 0;
    cos_slice::client client{settings()};
    const auto read = [&](void *buffer, std::size_t size) -> std::int64_t {
        const std::size_t count = bytes.copy(static_cast<char *>(buffer), std::min<std::size_t>(size, 100000), at);
        at += count;
        return static_cast<std::int64_t>(count);
    };
    client.upload("sources", "/stream").stream(static_cast<std::int64_t>(bytes.size()), read).run();
    CHECK(stored("sources", "/stream") == bytes);
}

static void a_std_istream_of_unknown_size_is_spooled()
{
    const std::string bytes = content(slice + 3, 5);
    std::istringstream from(bytes);
    cos_slice::client client{settings()};
    auto upload = client.upload("sources", "/spooled").stream(-1, from);
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.run(); }), cos_slice::status::invalid_argument, "spool");
    upload.spool(in_directory(""), 10 * slice).run();
    CHECK(stored("sources", "/spooled") == bytes);

    std::istringstream more("of more");
    upload.stream(-1, more).spool(3).overwrite();
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.run(); }), cos_slice::status::too_large, "");

    std::istringstream broken("broken");
    broken.setstate(std::ios::badbit);
    const auto error = thrown_by<cos_slice::error>([&] { upload.stream(6, broken).spool(0).run(); });
    CHECK_ENDED_WITH(error, cos_slice::status::file_read, "");

    /* One that was never opened has nothing to give, which is not the same as an empty file. */
    std::ifstream missing(in_directory("no such file"));
    const auto unopened = thrown_by<cos_slice::error>([&] { upload.stream(-1, missing).spool(10).run(); });
    CHECK_ENDED_WITH(unopened, cos_slice::status::file_read, "");
}

static void an_empty_function_is_refused_by_name()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("sources", "/empty").read_at(1, nullptr);
    CHECK(upload.last_setting() == cos_slice::status::invalid_argument);
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::invalid_argument, "");
    upload.stream(1, cos_slice::read_function());
    CHECK(upload.last_setting() == cos_slice::status::invalid_argument);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    a_file_may_have_a_name_that_is_not_utf_8();
    memory_may_be_a_text_or_any_container_of_bytes();
    a_descriptor_may_be_closed_at_once_and_a_range_be_chosen();
    a_function_gives_what_is_at_an_offset();
    a_negative_number_says_that_reading_failed();
    a_stream_of_known_size_is_sent_as_it_comes();
    a_std_istream_of_unknown_size_is_spooled();
    an_empty_function_is_refused_by_name();
}
