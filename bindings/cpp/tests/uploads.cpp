// Uploads run, started, waited for and cancelled, in both forms.
#include <future>
#include <thread>

#include "test.hpp"

using namespace std::chrono_literals;

static void an_upload_brings_its_object()
{
    const std::string bytes = content(3 * slice + 5, 1);
    write(in_directory("file"), bytes);
    cos_slice::client client{settings()};
    auto upload = client.upload("videos", "/2026/big.mp4").file(in_directory("file")).slice_size(slice);
    CHECK(!upload.object());
    const cos_slice::object object = upload.run();
    CHECK(object.outcome == cos_slice::outcome::uploaded);
    CHECK(object.size == bytes.size() && object.bytes_sent == bytes.size() && object.slices_sent == 4);
    CHECK(object.bytes_resumed == 0 && object.retries == 0 && object.verified);
    CHECK(object.sha1.size() == 40 && has(object.access_url, "/2026/big.mp4") && has(object.source_url, "/origin/"));
    CHECK(has(object.url, "/files/v2/") && object.resource_path == "/1251668577/videos/2026/big.mp4");
    CHECK(stored("videos", "/2026/big.mp4") == bytes);
    CHECK(upload.object()->access_url == object.access_url && upload.warning().empty());
    CHECK(upload.progress().phase == cos_slice::phase::done && upload.progress().acknowledged == bytes.size());

    CHECK(upload.run().outcome == cos_slice::outcome::instant);
    CHECK(client.upload("videos", "2026/big.mp4").file(in_directory("file")).run(std::nothrow)->outcome ==
          cos_slice::outcome::instant);
}

static void a_cancelled_upload_is_resumed()
{
    const std::string bytes = content(4 * slice, 2);
    cos_slice::client client{settings().connections(1)};
    auto upload = client.upload("videos", "/resumed").memory(bytes).slice_size(slice);
    upload.on_progress([&](const cos_slice::progress &progress) {
        if (progress.acknowledged > 0)
            upload.cancel();
        return true;
    });
    add_faults(R"({"operation":"upload_slice_data","nth":3,"times":1,"action":{"hang":"before"}})");
    const auto error = thrown_by<cos_slice::error>([&] { upload.run(); });
    clear_faults();
    CHECK_ENDED_WITH(error, cos_slice::status::cancelled, "cancelled");
    CHECK(error.is_retryable() && !upload.object());
    upload.on_progress(nullptr);
    const cos_slice::object object = upload.run();
    CHECK(object.outcome == cos_slice::outcome::resumed && object.bytes_resumed > 0);
    CHECK(object.bytes_resumed + object.bytes_sent == bytes.size() && stored("videos", "/resumed") == bytes);
}

static void an_upload_that_was_started_is_waited_for()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("videos", "/started").memory("abcdef");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.wait(); }), cos_slice::status::not_started, "start");
    upload.start();
    CHECK(upload.wait().size == 6);
    CHECK(upload.wait_for(0ms)->size == 6);
    CHECK(upload.wait_for(-1ms)->size == 6);
    CHECK(upload.wait(std::nothrow)->size == 6);
    CHECK(stored("videos", "/started") == "abcdef");
}

static void waiting_has_a_limit_and_cancel_ends_it_from_another_thread()
{
    cos_slice::client client{settings(silent_server())};
    auto upload = client.upload("videos", "/silent").memory("abc");
    upload.start();
    CHECK(!upload.wait_for(1ms));
    CHECK(!upload.wait_for(-1ms));
    CHECK_ENDED_WITH(upload.wait_for(1ms, std::nothrow).error(), cos_slice::status::still_running, "");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.start(); }), cos_slice::status::busy, "");
    upload.overwrite();
    CHECK(upload.last_setting() == cos_slice::status::busy);
    const auto &same = upload;
    std::thread canceller([&] { same.cancel(); });
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { upload.wait(); }), cos_slice::status::cancelled, "cancelled");
    canceller.join();
    upload.overwrite();
    CHECK(upload.last_setting() == cos_slice::status::ok);
}

static void a_rate_is_set_while_other_settings_come_too_late()
{
    cos_slice::client client{settings(silent_server())};
    auto upload = client.upload("videos", "/silent").memory("abc");
    upload.start();
    std::thread other([&] {
        CHECK(upload.rate_limit(1 << 20) == cos_slice::status::ok && client.rate_limit(1 << 20) == cos_slice::status::ok);
        CHECK(upload.rate_limit(1) == cos_slice::status::invalid_argument);
        CHECK(upload.rate_limit(0) == cos_slice::status::ok);
    });
    upload.overwrite();
    CHECK(upload.last_setting() == cos_slice::status::busy);
    other.join();
    CHECK(upload.last_setting() == cos_slice::status::busy);
    upload.cancel();
    CHECK_ENDED_WITH(upload.wait(std::nothrow).error(), cos_slice::status::cancelled, "");
}

static void a_rate_holds_an_upload_up()
{
    const std::string bytes = content(slice, 3);
    for (const bool is_client_s : {true, false}) {
        cos_slice::client client{settings().rate_limit(is_client_s ? 2 * slice : 0)};
        auto upload = client.upload("videos", is_client_s ? "/rate/client" : "/rate/upload").memory(bytes).slice_size(slice);
        CHECK(upload.rate_limit(is_client_s ? 0 : 2 * slice) == cos_slice::status::ok);
        const auto begin = std::chrono::steady_clock::now();
        CHECK(upload.run().size == bytes.size());
        CHECK(std::chrono::steady_clock::now() - begin > 400ms);
    }
}

/// At this rate the test would be over long before the upload.
constexpr std::int64_t next_to_nothing = 16 * 1024;

static void a_rate_that_is_raised_while_an_upload_runs_lets_it_go_on()
{
    const std::string bytes = content(4 * slice, 4);
    cos_slice::client client{settings().rate_limit(next_to_nothing)};
    auto upload = client.upload("videos", "/raised").memory(bytes).slice_size(slice).rate_limit(next_to_nothing);
    upload.on_progress([&](const cos_slice::progress &progress) {
        CHECK(progress.acknowledged > 0 || client.rate_limit(0) == cos_slice::status::ok);
        return true;
    });
    upload.start();
    const auto &same = upload;
    std::thread other([&] { CHECK(same.rate_limit(0) == cos_slice::status::ok); });
    const auto object = upload.wait_for(60s);
    other.join();
    CHECK(object && object->size == bytes.size() && stored("videos", "/raised") == bytes);
}

static void a_progress_function_stops_an_upload_by_false()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("videos", "/stopped").memory("abc").on_progress([](const cos_slice::progress &) {
        return false;
    });
    const auto error = thrown_by<cos_slice::error>([&] { upload.run(); });
    CHECK_ENDED_WITH(error, cos_slice::status::aborted_by_callback, "");
    CHECK(error.callback_value() == 1 && upload.thrown() == nullptr);
}

static void a_completion_function_gets_the_object_or_the_error()
{
    cos_slice::client client{settings()};
    std::promise<cos_slice::result<cos_slice::object>> ended;
    auto upload = client.upload("videos", "/completed").memory("abc").on_completion([&](auto how) { ended.set_value(std::move(how)); });
    upload.start();
    CHECK(ended.get_future().get()->size == 3);
    CHECK(upload.wait().size == 3);
}

static void many_uploads_of_one_client_run_at_once()
{
    cos_slice::client client{settings()};
    std::vector<cos_slice::upload> uploads;
    std::atomic<int> completed{0};
    for (int number = 0; number < 50; number++) {
        uploads.push_back(client.upload("many", "/" + std::to_string(number)).memory(content(1000, unsigned(number))));
        uploads.back().on_completion([&](const cos_slice::result<cos_slice::object> &how) { completed += how ? 1 : 1000; });
        uploads.back().start();
    }
    for (auto &upload : uploads)
        CHECK(upload.wait().size == 1000);
    CHECK(completed == 50);
    for (int number = 0; number < 50; number++)
        CHECK(stored("many", "/" + std::to_string(number)) == content(1000, unsigned(number)));
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    an_upload_brings_its_object();
    a_cancelled_upload_is_resumed();
    an_upload_that_was_started_is_waited_for();
    waiting_has_a_limit_and_cancel_ends_it_from_another_thread();
    a_rate_is_set_while_other_settings_come_too_late();
    a_rate_holds_an_upload_up();
    a_rate_that_is_raised_while_an_upload_runs_lets_it_go_on();
    a_progress_function_stops_an_upload_by_false();
    a_completion_function_gets_the_object_or_the_error();
    many_uploads_of_one_client_run_at_once();
}
