// Handles that are moved, and that go: in either order, while they run, inside callbacks. What closures hold is freed each time.
#include <future>
#include <thread>

#include "test.hpp"

namespace {

template <class Handle>
void move_to_itself(Handle &handle)
{
    Handle &same = handle;
    handle = std::move(same);
}

void a_handle_that_was_moved_goes_on_and_one_that_was_moved_from_answers_as_null()
{
    cos_slice::config first = settings();
    cos_slice::config second = std::move(first);
    first.region("gz");
    CHECK(first.last_setting() == cos_slice::status::invalid_argument);
    move_to_itself(second);
    cos_slice::client client{std::move(second)};
    cos_slice::client moved = std::move(client);
    move_to_itself(moved);

    auto upload = moved.upload("lifecycle", "/moved").memory("abc");
    auto other = std::move(upload);
    move_to_itself(other);
    CHECK(other.run().size == 3);
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::invalid_argument, "NULL");
    CHECK_ENDED_WITH(upload.start(std::nothrow).error(), cos_slice::status::invalid_argument, "NULL");
    CHECK_ENDED_WITH(upload.wait(std::nothrow).error(), cos_slice::status::invalid_argument, "NULL");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.run(); }), cos_slice::status::invalid_argument, "NULL");
    upload.cancel();
    witness closure;
    upload.on_progress([captured = closure.captured()](const cos_slice::progress &) { return true; });
    upload.on_completion([captured = closure.captured()](const cos_slice::result<cos_slice::object> &) {});
    CHECK(closure.captures() == 0);
    CHECK(!upload.object() && upload.warning().empty() && upload.progress().total == 0 && upload.thrown() == nullptr);
    upload = std::move(other);
    CHECK(upload.run().size == 3);

    auto operation = moved.operation("lifecycle", "/moved");
    auto same = std::move(operation);
    move_to_itself(same);
    CHECK(same.stat().size() == 3);
    CHECK_ENDED_WITH(operation.stat(std::nothrow).error(), cos_slice::status::invalid_argument, "NULL");
    cos_slice::answer answer = same.stat();
    cos_slice::answer kept = std::move(answer);
    CHECK(kept.size() == 3 && answer.kind() == cos_slice::answer_kind::none && !answer.size() && answer.parts().empty());

    auto of_none = client.upload("lifecycle", "/none").memory("abc");
    CHECK_ENDED_WITH(of_none.run(std::nothrow).error(), cos_slice::status::invalid_argument, "client");
}

void a_client_may_go_before_its_uploads()
{
    std::optional<cos_slice::client> client{settings()};
    auto upload = client->upload("lifecycle", "/alone").memory("abc");
    auto operation = client->operation("lifecycle", "/alone");
    auto started = client->upload("lifecycle", "/started").memory("abc");
    started.start();
    client.reset();
    CHECK(upload.run().size == 3 && started.wait().size == 3 && operation.stat().size() == 3);
}

void destroying_or_replacing_an_upload_that_runs_cancels_it_and_waits()
{
    cos_slice::client client{settings(silent_server())};
    witness closure;
    {
        std::promise<void> called;
        auto upload = client.upload("lifecycle", "/running").memory("abc");
        upload.on_progress([&called, first = true, captured = closure.captured()](const cos_slice::progress &) mutable {
            if (std::exchange(first, false))
                called.set_value();
            return true;
        });
        upload.start();
        called.get_future().wait();
    }
    CHECK(closure.captures() == 0);

    auto upload = client.upload("lifecycle", "/replaced").memory("abc");
    upload.on_progress([captured = closure.captured()](const cos_slice::progress &) { return true; });
    upload.start();
    upload = client.upload("lifecycle", "/by this").memory("abc");
    CHECK(closure.captures() == 0);
}

void closures_go_when_they_are_replaced_and_with_their_handle()
{
    witness closure;
    const auto progress = [captured = closure.captured()](const cos_slice::progress &) { return true; };
    const auto completion = [captured = closure.captured()](const cos_slice::result<cos_slice::object> &) {};
    const auto read_at = [captured = closure.captured()](std::uint64_t, void *, std::size_t) { return 0; };
    const auto read = [captured = closure.captured()](void *, std::size_t) { return 0; };
    const auto sign = [captured = closure.captured()](const cos_slice::sign_request &) { return "signature"; };
    const auto log = [captured = closure.captured()](const cos_slice::log_entry &) {};
    const long here = closure.captures();
    {
        cos_slice::client client{settings().signer(app_id, sign).signer(app_id, sign).log(cos_slice::log_level::debug, log)};
        auto upload = client.upload("lifecycle", "/closures");
        upload.on_progress(progress).on_progress(progress).on_completion(completion).on_completion(completion);
        upload.read_at(1, read_at).stream(1, read).read_at(1, read_at);
        CHECK(closure.captures() == here + 5);
        upload.on_progress(nullptr).on_completion(nullptr).memory("");
        CHECK(closure.captures() == here + 2);
    }
    CHECK(closure.captures() == here);
    /* Where the setter fails too. */
    (void)settings().signer("no digits", sign);
    CHECK(closure.captures() == here);
}

/// Where an upload is destroyed.
enum class place { progress_under_run, progress_under_start, completion_under_run, completion_under_start };

void an_upload_may_be_destroyed_inside_its_own_callback(place place)
{
    cos_slice::client client{settings()};
    std::promise<void> gone;
    int calls = 0;
    auto upload = std::make_unique<cos_slice::upload>(client.upload("lifecycle", "/own").memory(content(2 * slice, 6)).overwrite());
    /* What a closure holds goes last of all. */
    std::shared_ptr<int> held(new int(5), [&](int *number) {
        delete number;
        gone.set_value();
    });
    auto destroy = [&calls, &upload, held = std::move(held)] {
        CHECK(++calls == 1);
        upload.reset();
        CHECK(*held == 5);
    };
    if (place == place::progress_under_run || place == place::progress_under_start) {
        upload->on_progress([destroy = std::move(destroy)](const cos_slice::progress &) {
            destroy();
            return true;
        });
    } else {
        upload->on_completion([destroy = std::move(destroy)](const cos_slice::result<cos_slice::object> &how) {
            CHECK(how.has_value());
            destroy();
        });
    }
    if (place == place::progress_under_run)
        CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload->run(); }), cos_slice::status::cancelled, "cancelled");
    else if (place == place::completion_under_run)
        CHECK(upload->run().size == 2 * slice);
    else
        upload->start();
    gone.get_future().wait();
    CHECK(calls == 1 && upload == nullptr);
}

void one_that_throws_as_it_goes_is_carried_all_the_same()
{
    cos_slice::client client{settings()};
    std::optional<cos_slice::upload> upload(client.upload("lifecycle", "/throws").memory("abc"));
    upload->on_progress([&](const cos_slice::progress &) -> bool {
        upload.reset();
        throw std::string("as it goes");
    });
    CHECK(thrown_by<std::string>([&] { upload->run(); }) == "as it goes");
}

void the_client_and_another_upload_may_be_destroyed_inside_a_callback()
{
    std::optional<cos_slice::client> client{settings(silent_server())};
    std::promise<void> running;
    std::optional<cos_slice::upload> victim(client->upload("lifecycle", "/victim").memory("abc"));
    victim->on_progress([&, first = true](const cos_slice::progress &) mutable {
        if (std::exchange(first, false))
            running.set_value();
        return true;
    });
    victim->start();
    running.get_future().wait();
    auto killer = client->upload("lifecycle", "/killer").memory("abc");
    killer.on_progress([&](const cos_slice::progress &) {
        victim.reset();
        client.reset();
        return false;
    });
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { killer.run(); }), cos_slice::status::aborted_by_callback, "");
}

void an_upload_may_be_cancelled_by_many_threads_and_destroyed_at_once()
{
    for (int round = 0; round < 5; round++) {
        cos_slice::client client{settings(silent_server())};
        const auto upload = std::make_unique<cos_slice::upload>(client.upload("lifecycle", "/cancelled").memory("abc"));
        upload->start();
        std::vector<std::thread> cancellers;
        for (int number = 0; number < 4; number++)
            cancellers.emplace_back([&upload = std::as_const(*upload)] { upload.cancel(); });
        for (std::thread &canceller : cancellers)
            canceller.join();
    }
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    a_handle_that_was_moved_goes_on_and_one_that_was_moved_from_answers_as_null();
    a_client_may_go_before_its_uploads();
    destroying_or_replacing_an_upload_that_runs_cancels_it_and_waits();
    closures_go_when_they_are_replaced_and_with_their_handle();
    for (const place place : {place::progress_under_run, place::progress_under_start, place::completion_under_run,
                              place::completion_under_start})
        an_upload_may_be_destroyed_inside_its_own_callback(place);
    one_that_throws_as_it_goes_is_carried_all_the_same();
    the_client_and_another_upload_may_be_destroyed_inside_a_callback();
    an_upload_may_be_cancelled_by_many_threads_and_destroyed_at_once();
}
