// Errors are plain data with all that C tells, and results hold one or a value.
#include <cstring>

#include "test.hpp"

namespace {

cos_slice::error refused()
{
    cos_slice::client client{settings()};
    add_faults(R"({"operation":"upload_slice_data","times":0,"action":{"status":400,"code":-5999,"message":"made up"}})");
    auto upload = client.upload("errors", "/refused").memory("abc");
    const cos_slice::error error = thrown_by<cos_slice::error>([&] { upload.run(); });
    clear_faults();
    return error;
}

void an_error_outlives_everything_and_its_copies_share_it()
{
    const cos_slice::error error = refused();
    CHECK_ENDED_WITH(error, cos_slice::status::refused, "-5999");
    CHECK(std::strcmp(error.what(), error.message()) == 0);
    CHECK(error.server_code() == -5999 && error.http_status() == 400 && error.attempts() == 1);
    CHECK(!error.request_id().empty() && error.operation() == "upload_slice_data");
    CHECK(error.slice_offset() == 0 && error.os_errno() == 0 && error.callback_value() == 0 && !error.is_retryable());
    static_assert(std::is_nothrow_copy_constructible_v<cos_slice::error>);
    static_assert(std::is_nothrow_copy_assignable_v<cos_slice::error>);
    cos_slice::error copy = error;
    CHECK(copy.message() == error.message());
    copy = cos_slice::error(cos_slice::status::signer, "of my own");
    CHECK_ENDED_WITH(copy, cos_slice::status::signer, "of my own");
    CHECK(!copy.slice_offset() && copy.request_id().empty() && copy.operation().empty() && !copy.is_retryable());
}

void an_error_without_details_says_what_its_status_means()
{
    const cos_slice::error error(cos_slice::status::deadline, nullptr);
    CHECK(std::strcmp(error.what(), cos_slice::status_meaning(cos_slice::status::deadline)) == 0);
    CHECK(error.request_id().empty() && error.attempts() == 0);
}

void a_status_that_this_header_does_not_know_is_kept()
{
    const auto later = static_cast<cos_slice::status>(-9999);
    CHECK(cos_slice::error(later, "later").status() == later);
    CHECK(std::strcmp(cos_slice::status_name(later), "COS_SLICE_ERR_UNKNOWN") == 0);
    CHECK(std::strcmp(cos_slice::status_name(cos_slice::status::busy), "COS_SLICE_ERR_BUSY") == 0);
}

void it_is_caught_as_a_std_exception()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("errors", "").memory("abc");
    bool caught = false;
    try {
        upload.run();
    } catch (const std::exception &exception) {
        caught = has(exception.what(), "path");
    }
    CHECK(caught);
}

void the_first_setting_that_was_not_acceptable_is_told_by_its_name()
{
    cos_slice::client client{settings()};
    auto upload = client.upload("errors", "/settings").memory("abc").slice_size(5).deadline(std::chrono::milliseconds(-1));
    CHECK(upload.last_setting() == cos_slice::status::invalid_argument);
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::invalid_argument, "slice_size");
    CHECK_ENDED_WITH(upload.start(std::nothrow).error(), cos_slice::status::invalid_argument, "slice_size");
    upload.slice_size(slice);
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::invalid_argument, "deadline");

    cos_slice::config bad = settings();
    CHECK(bad.connections(1000).last_setting() == cos_slice::status::invalid_argument);
    cos_slice::client other{std::move(bad)};
    CHECK_ENDED_WITH(other.upload("errors", "/a").memory("").run(std::nothrow).error(), cos_slice::status::invalid_argument,
                     "connections");
}

void a_text_with_a_nul_inside_is_not_cut_off_but_refused()
{
    using namespace std::string_literals;
    cos_slice::client client{settings()};
    CHECK_ENDED_WITH(client.upload("err\0ors"s, "/a").memory("").run(std::nothrow).error(), cos_slice::status::invalid_argument,
                     "bucket");
    CHECK_ENDED_WITH(client.upload("errors", "/a\0b"s).memory("").run(std::nothrow).error(), cos_slice::status::invalid_argument,
                     "path");
    cos_slice::config config = settings();
    CHECK(config.secret_key(app_id, secret_id, "sec\0ret"s).last_setting() == cos_slice::status::invalid_argument);
    CHECK(client.upload("errors", "/a").file("a\0b"s).last_setting() == cos_slice::status::invalid_argument);
}

void a_result_holds_a_value_or_an_error()
{
    cos_slice::result<std::string> text = "value";
    CHECK(text && text.has_value() && *text == "value" && text->size() == 5);
    CHECK(std::move(text).value() == "value");
    cos_slice::result<std::string> none = cos_slice::error(cos_slice::status::busy, "none");
    CHECK(!none);
    CHECK_ENDED_WITH(none.error(), cos_slice::status::busy, "none");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { (void)none.value(); }), cos_slice::status::busy, "none");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { (void)none->size(); }), cos_slice::status::busy, "none");
    const cos_slice::result<void> done;
    done.value();
    CHECK(done.has_value());
    const cos_slice::result<void> failed = cos_slice::error(cos_slice::status::busy, "none");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { failed.value(); }), cos_slice::status::busy, "none");
    thrown_by<std::bad_optional_access>([&] { (void)done.error(); });
    thrown_by<std::bad_variant_access>([&] { (void)cos_slice::result<int>(5).error(); });
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    an_error_outlives_everything_and_its_copies_share_it();
    an_error_without_details_says_what_its_status_means();
    a_status_that_this_header_does_not_know_is_kept();
    it_is_caught_as_a_std_exception();
    the_first_setting_that_was_not_acceptable_is_told_by_its_name();
    a_text_with_a_nul_inside_is_not_cut_off_but_refused();
    a_result_holds_a_value_or_an_error();
}
