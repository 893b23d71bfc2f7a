// errors ENDPOINT BUCKET PATH FILE: what to do about each kind of failure, without exceptions. It compiles with -fno-exceptions too.
#include <cstdio>

#include <cos_slice.hpp>

// What somebody can do, by the status. Later versions may have more, so there is a default.
static const char *advice(const cos_slice::error &error)
{
    switch (error.status()) {
    case cos_slice::status::invalid_argument:
    case cos_slice::status::file_open:
        return "look at the arguments";
    case cos_slice::status::credentials:
        return "look at the key and at the clock";
    case cos_slice::status::object_exists:
        return "another object is there: choose another path, or overwrite it";
    default:
        return error.is_retryable() ? "run it again later, it goes on where it was" : "something has to be changed first";
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE\n", argv[0]);
        return 2;
    }
    cos_slice::config config;
    config.endpoint(argv[1]).secret_key("1251668577", "AKIDtest", "secret");
    cos_slice::client client{std::move(config)};
    auto upload = client.upload(argv[2], argv[3]).file(argv[4]);
    const cos_slice::result<cos_slice::object> how = upload.run(std::nothrow);
    if (how) {
        std::printf("%s\n", how->access_url.c_str());
        return 0;
    }
    const cos_slice::error &error = how.error();
    std::printf("%s\n", cos_slice::status_name(error.status()));
    std::fprintf(stderr, "%s\n", error.message());
    if (error.server_code() != 0)
        std::fprintf(stderr, "the service's code %lld, request %s, attempt %u\n", static_cast<long long>(error.server_code()),
                     error.request_id().c_str(), static_cast<unsigned>(error.attempts()));
    std::fprintf(stderr, "%s\n", advice(error));
    return 1;
}
