// Uploads a file; prints its access URL.
#include <cos_slice.hpp>

#include <iostream>

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    cos_slice::client client{
        cos_slice::config{}.endpoint(argv[1]).secret_key("1251668577", "AKIDtest", "secret")};
    try {
        std::cout << client.upload(argv[2], argv[3]).file(argv[4]).run().access_url << '\n';
    } catch (const cos_slice::error &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
