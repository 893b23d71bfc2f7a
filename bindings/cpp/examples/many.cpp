// many ENDPOINT BUCKET FILE…: many uploads at once, without a thread for each.
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <vector>

#include <cos_slice.hpp>

// Told on the client's callback thread, waited for on the main one.
class tally {
public:
    void count(bool succeeded)
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        (succeeded ? succeeded_ : failed_)++;
        changed_.notify_one();
    }

    // The number that failed, once so many have ended.
    int wait_for(std::size_t all)
    {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return static_cast<std::size_t>(succeeded_ + failed_) == all; });
        return failed_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int succeeded_ = 0;
    int failed_ = 0;
};

int main(int argc, char **argv)
{
    if (argc < 4) {
        std::fprintf(stderr, "usage: %s ENDPOINT BUCKET FILE...\n", argv[0]);
        return 2;
    }
    try {
        // They share the client's connections.
        cos_slice::client client{
            cos_slice::config{}.endpoint(argv[1]).secret_key("1251668577", "AKIDtest", "secret").connections(4)};
        tally tally;
        std::vector<cos_slice::upload> uploads;
        for (int argument = 3; argument < argc; argument++) {
            const std::filesystem::path file = argv[argument];
            auto &upload = uploads.emplace_back(client.upload(argv[2], "/" + file.filename().string()).file(file));
            upload.on_completion([&tally, file](const cos_slice::result<cos_slice::object> &how) {
                std::printf("%s: %s\n", file.filename().c_str(), how ? how->access_url.c_str() : how.error().what());
                tally.count(how.has_value());
            });
            upload.start();
        }
        return tally.wait_for(uploads.size()) == 0 ? 0 : 1;
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
