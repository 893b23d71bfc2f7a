// What the wrapper allocates: operator new is counted. (The library has an allocator of its own.)
#include <cstdlib>


#include "test.hpp"

static std::atomic<long> allocations{0};

void *operator new(std::size_t size)
{
    allocations++;
    if (void *memory = std::malloc(size))
        return memory;
    throw std::bad_alloc();
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

namespace {

/// Allocations between the first call of a function of the upload and the last.
struct counted {
    std::atomic<long> first{-1};
    std::atomic<long> last{-1};
    std::atomic<int> calls{0};

    void call()
    {
        const long now = allocations;
        long unset = -1;
        first.compare_exchange_strong(unset, now);
        last = now;
        calls++;
    }
};

void calls_for_progress_reading_and_the_log_allocate_nothing()
{
    counted counted;
    cos_slice::client client{settings().log(cos_slice::log_level::debug, [&](const cos_slice::log_entry &) { counted.call(); })};
    const std::string bytes = content(8 * slice, 10);
    auto upload = client.upload("allocations", "/object").slice_size(slice);
    upload.read_at(8 * slice, [&](std::uint64_t offset, void *buffer, std::size_t size) -> std::int64_t {
        counted.call();
        return static_cast<std::int64_t>(bytes.copy(static_cast<char *>(buffer), size, offset));
    });
    upload.on_progress([&](const cos_slice::progress &) {
        counted.call();
        return true;
    });
    CHECK(upload.run().size == bytes.size());
    CHECK(counted.calls > 20);
    CHECK(counted.last - counted.first == 0);

    counted.first = -1;
    upload.overwrite().stream(8 * slice, [&, at = std::size_t(0)](void *buffer, std::size_t size) mutable -> std::int64_t {
        counted.call();
        const std::size_t count = bytes.copy(static_cast<char *>(buffer), size, at);
        at += count;
        return static_cast<std::int64_t>(count);
    });
    CHECK(upload.run().size == bytes.size());
    CHECK(counted.last - counted.first == 0);
}

long allocated_by(const std::function<void()> &call)
{
    const long before = allocations;
    call();
    return allocations - before;
}

void setters_of_numbers_and_texts_allocate_nothing_and_of_closures_one_block()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("allocations", "/setters");
    CHECK(allocated_by([&] { upload.overwrite().slice_size(slice).hash(true).biz_attr("value").memory("abc"); }) == 0);
    /* std::function keeps a closure that is as small as this in itself. */
    CHECK(allocated_by([&] { upload.on_progress([](const cos_slice::progress &) { return true; }); }) == 1);
    CHECK(allocated_by([&] { auto moved = std::move(upload); upload = std::move(moved); }) == 0);
    CHECK(allocated_by([&] { (void)upload.progress(); upload.cancel(); }) == 0);
}

void an_error_is_allocated_once_and_copied_for_nothing()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("allocations", "/").memory("abc");
    std::optional<cos_slice::error> first, second;
    /* Its block and its message. */
    CHECK(allocated_by([&] { first = upload.run(std::nothrow).error(); }) == 2);
    CHECK(allocated_by([&] { second = first; (void)second->what(); }) == 0);
    CHECK(first->message() == second->message());
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    calls_for_progress_reading_and_the_log_allocate_nothing();
    setters_of_numbers_and_texts_allocate_nothing_and_of_closures_one_block();
    an_error_is_allocated_once_and_copied_for_nothing();
}
