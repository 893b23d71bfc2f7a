// What a callback throws arrives, as it was, where the upload is run or waited for.
#include <array>
#include <future>
#include <stdexcept>

#include "test.hpp"

namespace {

/// Thrown by callbacks here.
struct mishap : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class how { run, start_and_wait, start_and_wait_for };
constexpr std::array<how, 3> every_way{how::run, how::start_and_wait, how::start_and_wait_for};

cos_slice::object object_of(cos_slice::upload &upload, how how)
{
    if (how == how::run)
        return upload.run();
    upload.start();
    return how == how::start_and_wait ? upload.wait() : upload.wait_for(std::chrono::hours(1)).value();
}

void check_throws(cos_slice::upload &upload, how how, const std::string &what)
{
    CHECK(thrown_by<mishap>([&] { (void)object_of(upload, how); }).what() == what);
    CHECK(said_by<mishap>(upload.thrown()) == what);
}

/// With std::nothrow the call itself tells in what way the upload ended, and thrown() has the exception.
void check_ends(cos_slice::upload &upload, cos_slice::status status, const std::string &what)
{
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), status, "");
    CHECK(said_by<mishap>(upload.thrown()) == what);
}

void of_a_progress_function()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/progress").memory("abc");
    upload.on_progress([](const cos_slice::progress &) -> bool { throw mishap("progress"); });
    for (const how how : every_way)
        check_throws(upload, how, "progress");
    check_ends(upload, cos_slice::status::aborted_by_callback, "progress");
    CHECK(upload.on_progress(nullptr).run().size == 3 && upload.thrown() == nullptr);
}

void of_a_function_that_reads()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/read");
    upload.read_at(10, [](std::uint64_t, void *, std::size_t) -> std::int64_t { throw mishap("read_at"); });
    for (const how how : every_way)
        check_throws(upload, how, "read_at");
    check_ends(upload, cos_slice::status::file_read, "read_at");
    upload.stream(10, [](void *, std::size_t) -> std::int64_t { throw mishap("stream"); });
    for (const how how : every_way)
        check_throws(upload, how, "stream");
    check_ends(upload, cos_slice::status::file_read, "stream");
}

void of_a_completion_function_though_the_object_is_there()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/completion").memory("abc");
    upload.on_completion([](const cos_slice::result<cos_slice::object> &) { throw mishap("completion"); });
    for (const how how : every_way) {
        check_throws(upload, how, "completion");
        CHECK(upload.object()->size == 3);
    }
    CHECK(upload.run(std::nothrow)->size == 3);
    CHECK(said_by<mishap>(upload.thrown()) == "completion");
}

void of_several_the_first()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/several").memory("abc");
    upload.on_progress([](const cos_slice::progress &) -> bool { throw mishap("first"); });
    upload.on_completion([](const cos_slice::result<cos_slice::object> &) { throw mishap("second"); });
    for (const how how : every_way)
        check_throws(upload, how, "first");
}

void of_a_signer_and_to_the_upload_that_asked()
{
    cos_slice::client client{cos_slice::config{}.endpoint(endpoint).signer(
        app_id, [](const cos_slice::sign_request &request) -> std::string { throw mishap("no right to " + request.path); })};
    auto first = client.upload("exceptions", "/first").memory("abc");
    auto second = client.upload("exceptions", "second").memory("abc");
    for (const how how : every_way) {
        check_throws(first, how, "no right to first");
        check_throws(second, how, "no right to second");
    }
    first.start();
    second.start();
    CHECK(std::string(thrown_by<mishap>([&] { second.wait(); }).what()) == "no right to second");
    CHECK(std::string(thrown_by<mishap>([&] { first.wait(); }).what()) == "no right to first");
    CHECK_ENDED_WITH(first.run(std::nothrow).error(), cos_slice::status::signer, "no right to first");
    CHECK(said_by<mishap>(first.thrown()) == "no right to first");

    /* Whoever goes by completion functions alone, and never waits, finds it too. */
    std::promise<std::string> told;
    first.on_completion([&](const cos_slice::result<cos_slice::object> &) { told.set_value(said_by<mishap>(first.thrown())); });
    first.start();
    CHECK(told.get_future().get() == "no right to first");

    auto operation = client.operation("exceptions", "/directory");
    CHECK(has(thrown_by<mishap>([&] { operation.create_directory(); }).what(), "no right to directory"));
    CHECK_ENDED_WITH(operation.create_directory(std::nothrow).error(), cos_slice::status::signer, "no right to directory");
    CHECK(has(said_by<mishap>(operation.thrown()), "no right to directory"));
}

void of_a_signer_that_throws_what_is_no_std_exception()
{
    cos_slice::client client{
        cos_slice::config{}.endpoint(endpoint).signer(app_id, [](const cos_slice::sign_request &) -> std::string { throw 7; })};
    auto upload = client.upload("exceptions", "/seven").memory("abc");
    CHECK(thrown_by<int>([&] { upload.run(); }) == 7);
}

void of_a_signer_of_an_earlier_run_never()
{
    bool throws = true;
    cos_slice::client client{cos_slice::config{}.endpoint(endpoint).signer(
        app_id, [&](const cos_slice::sign_request &) -> cos_slice::result<std::string> {
            if (throws)
                throw mishap("old");
            return cos_slice::error(cos_slice::status::signer, "new");
        })};
    /* The exception of the first is not claimed: its upload goes without being waited for. */
    {
        std::promise<void> completed;
        auto gone = client.upload("exceptions", "/same").memory("abc");
        gone.on_progress([&](const cos_slice::progress &progress) {
            if (progress.phase == cos_slice::phase::done)
                completed.set_value();
            return true;
        });
        gone.start();
        completed.get_future().wait();
    }
    throws = false;
    auto upload = client.upload("exceptions", "/same").memory("abc");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.run(); }), cos_slice::status::signer, "new");
}

void of_a_log_function_by_the_next_run_that_ends()
{
    int calls = 0;
    std::mutex mutex;
    cos_slice::client client{settings().log(cos_slice::log_level::info, [&](const cos_slice::log_entry &) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (calls++ == 0)
            throw mishap("log");
    })};
    auto upload = client.upload("exceptions", "/log").memory("abc");
    CHECK(std::string(thrown_by<mishap>([&] { upload.run(); }).what()) == "log");
    CHECK(upload.object()->size == 3);
    CHECK(upload.run().size == 3);

    calls = 0;
    CHECK(upload.run(std::nothrow)->size == 3);
    CHECK(said_by<mishap>(client.thrown()) == "log" && client.thrown() == nullptr);
}

void of_one_run_never_in_the_next()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/next").memory("abc");
    upload.on_progress([](const cos_slice::progress &) -> bool { throw mishap("progress"); });
    CHECK(!upload.run(std::nothrow));
    upload.on_progress(nullptr);
    CHECK(upload.run().size == 3);
    CHECK(upload.thrown() == nullptr);
}

void that_of_a_call_which_is_not_allowed_inside_included()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/inside").memory("abc");
    upload.on_progress([&](const cos_slice::progress &) { return upload.run().size == 3; });
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.run(); }), cos_slice::status::busy, "callback");
}

void and_is_not_lost_to_calls_that_are_not_allowed_inside()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("exceptions", "/kept").read_at(
        10, [](std::uint64_t, void *, std::size_t) -> std::int64_t { throw mishap("read_at"); });
    bool completed = false;
    upload.on_completion([&](const cos_slice::result<cos_slice::object> &) {
        CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::busy, "callback");
        CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.wait(); }), cos_slice::status::busy, "callback");
        completed = true;
    });
    check_throws(upload, how::run, "read_at");
    CHECK(completed);
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    of_a_progress_function();
    of_a_function_that_reads();
    of_a_completion_function_though_the_object_is_there();
    of_several_the_first();
    of_a_signer_and_to_the_upload_that_asked();
    of_a_signer_that_throws_what_is_no_std_exception();
    of_a_signer_of_an_earlier_run_never();
    of_a_log_function_by_the_next_run_that_ends();
    of_one_run_never_in_the_next();
    that_of_a_call_which_is_not_allowed_inside_included();
    and_is_not_lost_to_calls_that_are_not_allowed_inside();
}
