// A part of no_exceptions.cpp's program that is compiled with exceptions.
#include "test.hpp"

std::uint64_t size_by_a_file_with_exceptions(const char *address);

std::uint64_t size_by_a_file_with_exceptions(const char *address)
{
    cos_slice::client client{settings(address)};
    auto upload = client.upload("plain", "/mixed").memory("abc");
    upload.on_progress([](const cos_slice::progress &) -> bool { throw 7; });
    CHECK(thrown_by<int>([&] { upload.run(); }) == 7);
    return upload.on_progress(nullptr).run().size;
}
