// Every option is taken, by each form of its setter, and steers what it should.
#include "test.hpp"

using namespace std::chrono_literals;

namespace {

/// The only slice size that the emulator takes once its switches make it such a store.
constexpr std::int64_t of_the_store = 256 * 1024;

/// All settings of a client that go together, on one that stays and on one that goes on.
cos_slice::config every_setting_of_a_client(cos_slice::config config)
{
    config.api(cos_slice::api::files_v2).connections(2).adaptive_connections(2).rate_limit(1 << 30).rate_limit(0);
    config.resolve_timeout(5s).connect_timeout(5s).tls_timeout(5s).stall_timeout(5s).answer_timeout(5s).finish_timeout(5s);
    config.proxy(nullptr).use_env_proxy(false).checkpoint_dir(in_directory("checkpoints"));
    config.signature_scope(cos_slice::signature_scope::bucket).signature_lifetime(1min).slice_md5();
    config.slice_sizes({of_the_store, 2 * of_the_store}).slice_sizes(std::vector<std::int64_t>{of_the_store});
    config.token_place(cos_slice::token_place::header);
    CHECK(config.last_setting() == cos_slice::status::ok);
    return std::move(config)
        .api(cos_slice::api::files_v2).connections(2).adaptive_connections(2).rate_limit(1 << 30)
        .resolve_timeout(5s).connect_timeout(5s).tls_timeout(5s).stall_timeout(5s).answer_timeout(5s).finish_timeout(5s)
        .proxy(nullptr).use_env_proxy(false).checkpoint_dir(in_directory("checkpoints"))
        .signature_scope(cos_slice::signature_scope::bucket).signature_lifetime(1min).slice_md5(true)
        .slice_sizes({of_the_store, 2 * of_the_store}).slice_sizes(std::vector<std::int64_t>{of_the_store})
        .token_place(cos_slice::token_place::header_after_word, "Token");
}

void every_setting_of_an_upload_is_taken()
{
    cos_slice::client client{every_setting_of_a_client(settings())};
    const auto no_progress = cos_slice::progress_function();
    const auto no_completion = cos_slice::completion_function();
    auto upload = client.upload("options", "/parents/object");
    upload.memory("0123456789").range(1).range(0, 9).slice_size(of_the_store).hash(true).overwrite().create_parents();
    upload.discard_unfinished().verify(true).biz_attr("kept").single_request_limit(0).deadline(1min).spool(0).spool(nullptr, 0);
    upload.on_progress(no_progress).on_completion(no_completion);
    CHECK(upload.last_setting() == cos_slice::status::ok && upload.rate_limit(1 << 30) == cos_slice::status::ok);
    auto other = std::move(upload)
        .memory("0123456789").range(1).range(0, 9).slice_size(of_the_store).hash(true).overwrite().create_parents()
        .discard_unfinished().verify(true).biz_attr("kept").single_request_limit(0).deadline(1min).spool(0).spool(nullptr, 0)
        .rate_limit(1 << 30).on_progress(no_progress).on_completion(no_completion);
    CHECK(other.last_setting() == cos_slice::status::ok);
    set_switches(R"({"slice_sizes":"262144","require_parent_dir":"on","token_word":"Token","datamd5":"required"})");
    CHECK(other.run().size == 9);
    CHECK(stored("options", "/parents/object") == "012345678");
    set_switches(R"({"slice_sizes":"none","require_parent_dir":"off","token_word":"none","datamd5":"checked"})");
}

void options_of_an_upload_do_what_they_say()
{
    cos_slice::client client{settings()};
    client.upload("options", "/object").memory("old").run();
    auto upload = client.upload("options", "/object").memory("new");
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::object_exists, "");
    CHECK(!upload.overwrite(true).verify(false).run().verified);
    CHECK(stored("options", "/object") == "new");
    CHECK(client.upload("options", "/unhashed").memory("abc").hash(false).run().sha1.empty());
    CHECK(client.upload("options", "/single").memory("abc").single_request_limit(3).run().slices_sent == 0);

    cos_slice::client silent{settings(silent_server())};
    CHECK_ENDED_WITH(silent.upload("options", "/late").memory("abc").deadline(50ms).run(std::nothrow).error(),
                     cos_slice::status::deadline, "");
    CHECK_ENDED_WITH(cos_slice::client{settings("https://127.0.0.1:1").ca_file(in_directory("none.pem"))}
                         .upload("options", "/a").memory("").run(std::nothrow).error(),
                     cos_slice::status::invalid_argument, "ca_file");
}

/// What a client with these settings says of the first that is not acceptable.
cos_slice::error refusal(cos_slice::config config)
{
    CHECK(config.last_setting() == cos_slice::status::invalid_argument);
    return cos_slice::client{std::move(config)}.upload("options", "/refused").memory("").run(std::nothrow).error();
}

void numbers_of_connections_and_rates_have_a_range()
{
    for (const std::int32_t number : {-1, 0, 257}) {
        CHECK_ENDED_WITH(refusal(settings().connections(number)), cos_slice::status::invalid_argument, "connections: ");
        CHECK_ENDED_WITH(refusal(settings().adaptive_connections(number)), cos_slice::status::invalid_argument,
                         "adaptive_connections: ");
    }
    cos_slice::client client{settings().adaptive_connections(256).rate_limit(1 << 30)};
    auto upload = client.upload("options", "/rated").memory("abc");
    for (const std::int64_t rate : {std::int64_t(-1), std::int64_t(1023), INT64_MAX}) {
        CHECK_ENDED_WITH(refusal(settings().rate_limit(rate)), cos_slice::status::invalid_argument, "rate_limit: ");
        CHECK_ENDED_WITH(client.upload("options", "/refused").memory("").rate_limit(rate).run(std::nothrow).error(),
                         cos_slice::status::invalid_argument, "rate_limit: ");
        CHECK(client.rate_limit(rate) == cos_slice::status::invalid_argument);
        CHECK(upload.rate_limit(rate) == cos_slice::status::invalid_argument);
    }
    for (const std::int64_t rate : {std::int64_t(1024), std::int64_t(1) << 53, std::int64_t(0)})
        CHECK(client.rate_limit(rate) == cos_slice::status::ok && upload.rate_limit(rate) == cos_slice::status::ok);
    CHECK(upload.run().size == 3);
}

void files_v1_may_be_spoken()
{
    cos_slice::client client{settings().api(cos_slice::api::files_v1)};
    const std::string bytes = content(2 * slice, 8);
    CHECK(client.upload("options", "/v1").memory(bytes).slice_size(slice).run().size == bytes.size());
    CHECK(stored("options", "/v1") == bytes);
}

void requests_go_to_a_proxy_that_is_set()
{
    cos_slice::client client{settings().proxy(closed_port())};
    CHECK_ENDED_WITH(client.upload("options", "/proxy").memory("abc").run(std::nothrow).error(), cos_slice::status::connect, "");
    cos_slice::client without{settings().proxy(closed_port()).proxy(nullptr)};
    CHECK(without.upload("options", "/proxy").memory("abc").run().size == 3);
}

void certificates_come_from_a_file_or_from_memory()
{
    const char *address = std::getenv("TLS_ENDPOINT");
    const char *authority = std::getenv("TLS_AUTHORITY");
    CHECK(address != nullptr && authority != nullptr);
    cos_slice::client of_file{settings(address).ca_file(authority)};
    CHECK(of_file.upload("options", "/file").memory("abc").run().size == 3);
    cos_slice::client of_memory{settings(address).ca_pem(bytes_of(authority))};
    CHECK(of_memory.upload("options", "/memory").memory("abc").run().size == 3);
    cos_slice::client of_none{settings(address)};
    CHECK_ENDED_WITH(of_none.upload("options", "/none").memory("abc").run(std::nothrow).error(), cos_slice::status::tls, "");
}

void fields_and_headers_of_the_store_s_own_are_sent()
{
    cos_slice::config config = settings();
    config.add_form_field("tenant", "north").add_header("X-Tenant", "north");
    CHECK(config.last_setting() == cos_slice::status::ok);
    cos_slice::client client{std::move(config).add_form_field("room", "7").add_header("X-Room", "7")};
    set_switches(R"({"required_field":"tenant=north","required_header":"X-Room=7"})");
    CHECK(client.upload("options", "/fields").memory("abc").run().size == 3);
    CHECK_ENDED_WITH(cos_slice::client{settings()}.upload("options", "/without").memory("abc").run(std::nothrow).error(),
                     cos_slice::status::refused, "");
    set_switches(R"({"required_field":"none","required_header":"none"})");
    cos_slice::client refused{settings().add_header("Host", "elsewhere")};
    CHECK_ENDED_WITH(refused.upload("options", "/a").memory("").run(std::nothrow).error(), cos_slice::status::invalid_argument,
                     "Host");
}

void the_service_s_region_is_known_by_its_code()
{
    cos_slice::config config;
    CHECK(config.region("ap-guangzhou").last_setting() == cos_slice::status::invalid_argument);
    CHECK(config.region("gz").last_setting() == cos_slice::status::ok);
    CHECK(cos_slice::config{}.region("gz").last_setting() == cos_slice::status::ok);
}

void the_log_tells_of_each_upload()
{
    std::mutex mutex;
    std::vector<std::string> messages;
    bool of_the_object = false;
    cos_slice::client client{settings().log(cos_slice::log_level::debug, [&](const cos_slice::log_entry &entry) {
        const std::lock_guard<std::mutex> lock(mutex);
        CHECK(entry.level <= cos_slice::log_level::debug && !entry.message.empty());
        CHECK(!has(entry.message, secret_key));
        messages.emplace_back(entry.message);
        if (entry.operation == "upload_slice_data" && entry.bucket == "options" && has(entry.path, "logged"))
            of_the_object |= entry.offset == 0 && entry.attempt == 1 && entry.http_status == 200 && !entry.request_id.empty();
    })};
    CHECK(client.upload("options", "/logged").memory("abc").run().size == 3);
    CHECK(messages.size() >= 3 && of_the_object);
    CHECK(client.thrown() == nullptr);
}

void the_versions_of_header_and_library_are_told()
{
    CHECK(cos_slice::version_number() >= COS_SLICE_VERSION_NUMBER);
    CHECK(std::string(cos_slice::version()) == cos_slice_version() && has(cos_slice::features(), "files-v2"));
    CHECK(cos_slice::client{settings()}.usable().has_value());
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    every_setting_of_an_upload_is_taken();
    options_of_an_upload_do_what_they_say();
    numbers_of_connections_and_rates_have_a_range();
    files_v1_may_be_spoken();
    requests_go_to_a_proxy_that_is_set();
    certificates_come_from_a_file_or_from_memory();
    fields_and_headers_of_the_store_s_own_are_sent();
    the_service_s_region_is_known_by_its_code();
    the_log_tells_of_each_upload();
    the_versions_of_header_and_library_are_told();
}
