#include <cstdio>
#include <cos_slice.hpp>

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE\n", argv[0]);
        return 2;
    }
    try {
        /* Or region("gz") in place of endpoint(…). */
        cos_slice::client client{cos_slice::config{}.endpoint(argv[1]).secret_key("1251668577", "AKIDtest", "secret")};
        auto upload = client.upload(argv[2], argv[3]).file(argv[4]);
        upload.on_progress([](const cos_slice::progress &progress) {
            std::fprintf(stderr, "\r%llu of %llu bytes", static_cast<unsigned long long>(progress.acknowledged),
                         static_cast<unsigned long long>(progress.total));
            return true; // false stops the upload
        });
        const cos_slice::object object = upload.run();
        std::printf("%s\n", object.access_url.c_str());
    } catch (const std::exception &error) {
        std::fprintf(stderr, "upload failed: %s\n", error.what());
        return 1;
    }
}
