// sources ENDPOINT BUCKET FILE: uploads memory, part of a file, what a function reads anywhere, and what comes from a pipe.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include <cos_slice.hpp>

static void show(const char *what, const cos_slice::object &object)
{
    std::printf("%s: %llu bytes\n", what, static_cast<unsigned long long>(object.size));
}

static void upload_all(cos_slice::client &client, const std::string &bucket, const std::string &file)
{
    // Memory is copied: use a file for what is large.
    const std::vector<std::uint8_t> bytes{'a', 'b', 'c'};
    show("memory", client.upload(bucket, "/memory").memory(bytes).run());

    // The first 100 bytes of a file.
    show("range", client.upload(bucket, "/range").file(file).range(0, 100).run());

    // What a function gives for any offset, on several threads at once: here the squares, of which none is stored anywhere.
    const auto squares = [](std::uint64_t offset, void *buffer, std::size_t size) -> std::int64_t {
        auto *byte = static_cast<unsigned char *>(buffer);
        for (std::uint64_t number = offset; number < offset + size; number++)
            *byte++ = static_cast<unsigned char>(number * number);
        return static_cast<std::int64_t>(size);
    };
    show("read_at", client.upload(bucket, "/read_at").read_at(3000000, squares).run());

    // A stream whose length nobody knows goes into a temporary file first, here of at most a gibibyte.
    show("stream", client.upload(bucket, "/stream").stream(-1, std::cin).spool(1 << 30).run());
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: %s ENDPOINT BUCKET FILE\n", argv[0]);
        return 2;
    }
    try {
        cos_slice::client client{cos_slice::config{}.endpoint(argv[1]).secret_key("1251668577", "AKIDtest", "secret")};
        upload_all(client, argv[2], argv[3]);
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
