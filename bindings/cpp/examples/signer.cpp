// signer ENDPOINT BUCKET PATH FILE: an upload by a program that has no key, and asks one that has.
#include <cstdio>
#include <stdexcept>
#include <string>

#include <cos_slice.hpp>

// What the application's server does. Whoever has the string can upload what it is bound to, so it is decided here who may.
static std::string signed_by_server(const std::string &user, const cos_slice::sign_request &request)
{
    if (user != "alice" || request.kind == cos_slice::signature_kind::one_time)
        throw std::runtime_error(user + " may not upload to " + request.path);
    return cos_slice::sign("1251668577", "AKIDtest", "secret", cos_slice::signature_scope::path, request);
}

static int upload_as(const std::string &user, char **arguments)
{
    cos_slice::config config;
    config.endpoint(arguments[1]);
    // In earnest this asks over the network, with a time limit: nothing interrupts it. What it throws, run throws again.
    config.signer("1251668577", [user](const cos_slice::sign_request &request) { return signed_by_server(user, request); });
    cos_slice::client client{std::move(config)};
    try {
        const cos_slice::object object = client.upload(arguments[2], arguments[3]).file(arguments[4]).run();
        std::printf("%s: %s\n", user.c_str(), object.access_url.c_str());
        return 0;
    } catch (const cos_slice::error &error) {
        std::fprintf(stderr, "%s: %s\n", user.c_str(), error.what());
    } catch (const std::runtime_error &refused) {
        std::printf("refused: %s\n", refused.what());
    }
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s ENDPOINT BUCKET PATH FILE\n", argv[0]);
        return 2;
    }
    const int refused = upload_as("mallory", argv);
    const int uploaded = upload_as("alice", argv);
    return refused == 1 && uploaded == 0 ? 0 : 1;
}
