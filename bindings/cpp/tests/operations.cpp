// Requests one at a time, and who signs them.
#include "test.hpp"

namespace {

void slices_may_be_sent_by_several_handles_and_finished_by_one()
{
    const std::string bytes = content(2 * slice + 7, 9);
    write(in_directory("object"), bytes);
    cos_slice::client client{settings()};
    auto first = client.operation("operations", "/parts").file(in_directory("object")).slice_size(slice).attempts(3).overwrite();
    first.biz_attr("kept");
    CHECK(first.last_setting() == cos_slice::status::ok);
    const std::string sha1 = first.hash().sha1();
    CHECK(sha1.size() == 40);
    const cos_slice::answer begun = first.init();
    CHECK(begun.kind() == cos_slice::answer_kind::session && begun.slice_size() == slice && begun.offset() == 0);
    CHECK(!begun.received() && !begun.size() && begun.access_url().empty());

    auto second = client.operation("operations", "parts").memory(bytes).sha1(sha1).session(begun.session());
    CHECK(second.slice(2 * slice, 7).kind() == cos_slice::answer_kind::stored);
    CHECK(first.session(begun.session()).slice(0, slice).kind() == cos_slice::answer_kind::stored);
    const cos_slice::answer there = client.operation("operations", "/parts").list();
    CHECK(there.kind() == cos_slice::answer_kind::unfinished && there.session() == begun.session());
    const std::vector<cos_slice::part> parts = there.parts();
    CHECK(parts.size() == 2 && parts[0].offset == 0 && parts[0].length == slice);
    CHECK(parts[1].offset == 2 * slice && parts[1].length == 7 && there.received() == slice + 7);
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] { first.finish(); }), cos_slice::status::refused, "");
    CHECK(second.slice(slice, slice, std::nothrow)->kind() == cos_slice::answer_kind::stored);

    auto last = client.operation("operations", "/parts").session(there.session()).sha1(sha1).size(2 * slice + 7);
    const cos_slice::answer made = last.finish();
    CHECK(made.kind() == cos_slice::answer_kind::complete && has(made.access_url(), "/parts"));
    CHECK(!made.source_url().empty() && !made.url().empty() && !made.resource_path().empty());
    CHECK(made.preview_url().empty() && made.vid().empty() && !made.serial());
    CHECK(stored("operations", "/parts") == bytes);
    const cos_slice::answer status = last.stat();
    CHECK(status.kind() == cos_slice::answer_kind::status && status.size() == 2 * slice + 7 && status.sha1() == sha1);
}

void nothing_at_a_path_is_an_answer()
{
    cos_slice::client client{settings()};
    auto operation = client.operation("operations", "/nothing");
    CHECK(operation.stat().kind() == cos_slice::answer_kind::absent);
    CHECK(operation.list().kind() == cos_slice::answer_kind::absent);
    CHECK(operation.delete_object().kind() == cos_slice::answer_kind::deleted);
}

void everything_goes_in_one_request_and_away_again()
{
    cos_slice::client client{settings()};
    auto operation = client.operation("operations", "/once").memory("abc");
    CHECK(operation.upload().kind() == cos_slice::answer_kind::complete);
    CHECK(stored("operations", "/once") == "abc");
    CHECK(operation.delete_object().kind() == cos_slice::answer_kind::deleted);
    CHECK(operation.stat().kind() == cos_slice::answer_kind::absent);
    CHECK(client.operation("operations", "/folder").create_directory().kind() == cos_slice::answer_kind::created);
    operation.memory(std::vector<char>{'d'});
    CHECK(operation.upload(std::nothrow)->kind() == cos_slice::answer_kind::complete);
    operation.cancel();
    CHECK_ENDED_WITH(operation.stat(std::nothrow).error(), cos_slice::status::cancelled, "");
}

void each_form_without_exceptions_tells_what_is_missing()
{
    using cos_slice::status;
    cos_slice::client client{settings()};
    auto operation = client.operation("operations", "/missing");
    CHECK_ENDED_WITH(operation.hash(std::nothrow).error(), status::invalid_argument, "");
    CHECK_ENDED_WITH(operation.init(std::nothrow).error(), status::invalid_argument, "");
    CHECK_ENDED_WITH(operation.slice(0, 1, std::nothrow).error(), status::invalid_argument, "");
    CHECK_ENDED_WITH(operation.finish(std::nothrow).error(), status::invalid_argument, "");
    CHECK_ENDED_WITH(operation.upload(std::nothrow).error(), status::invalid_argument, "");
    CHECK(operation.list(std::nothrow).has_value() && operation.stat(std::nothrow).has_value());
    CHECK(operation.delete_object(std::nothrow).has_value());
    CHECK(client.operation("operations", "/made").create_directory(std::nothrow).has_value());
    CHECK(operation.thrown() == nullptr);
}

cos_slice::sign_request to_upload(const std::string &path)
{
    cos_slice::sign_request request;
    request.bucket = "operations";
    request.path = path;
    request.lifetime = std::chrono::minutes(5);
    return request;
}

void a_string_that_sign_made_authorizes_a_client_without_the_key()
{
    const std::string string =
        cos_slice::sign(app_id, secret_id, secret_key, cos_slice::signature_scope::path, to_upload("fixed"));
    cos_slice::client client{cos_slice::config{}.endpoint(endpoint).authorization(app_id, string)};
    CHECK(client.upload("operations", "/fixed").memory("abc").run().size == 3);
    CHECK_ENDED_WITH(client.upload("operations", "/other").memory("abc").run(std::nothrow).error(),
                     cos_slice::status::credentials, "");
}

void a_signer_is_asked_for_what_it_needs_to_know()
{
    int asked = 0;
    cos_slice::config config;
    config.endpoint(endpoint).signature_lifetime(std::chrono::seconds(77));
    config.signer(app_id, [&](const cos_slice::sign_request &request) {
        asked++;
        CHECK(request.kind == cos_slice::signature_kind::multi_effect && !request.operation.empty());
        CHECK(request.app_id == app_id && request.bucket == "operations" && request.path == "signed");
        CHECK(request.lifetime == std::chrono::seconds(77));
        return cos_slice::sign(app_id, secret_id, secret_key, cos_slice::signature_scope::path, request, std::nothrow);
    });
    cos_slice::client client{std::move(config)};
    CHECK(client.upload("operations", "/signed").memory("abc").run().size == 3);
    CHECK(asked == 1);
}

void a_signer_may_fail_or_give_what_no_request_can_carry()
{
    using namespace std::string_literals;
    cos_slice::result<std::string> given = cos_slice::error(cos_slice::status::signer, "come back tomorrow");
    cos_slice::client client{
        cos_slice::config{}.endpoint(endpoint).signer(app_id, [&](const cos_slice::sign_request &) { return given; })};
    auto upload = client.upload("operations", "/unsigned").memory("abc");
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::signer, "come back tomorrow");
    given = "two\nlines";
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::signer, "");
    given = "cut\0off"s;
    CHECK_ENDED_WITH(upload.run(std::nothrow).error(), cos_slice::status::signer, "");
    CHECK(upload.thrown() == nullptr);
}

void what_sign_can_t_sign_it_names()
{
    const auto sign = [](const cos_slice::sign_request &request) {
        return cos_slice::sign(app_id, secret_id, secret_key, cos_slice::signature_scope::path, request, std::nothrow);
    };
    CHECK(sign(to_upload("/a")).has_value());
    cos_slice::sign_request request = to_upload("/a");
    request.app_id = "1";
    CHECK_ENDED_WITH(sign(request).error(), cos_slice::status::invalid_argument, "app_id");
    request = to_upload("");
    CHECK_ENDED_WITH(thrown_by<cos_slice::error>([&] {
                         (void)cos_slice::sign(app_id, secret_id, secret_key, cos_slice::signature_scope::path, request);
                     }),
                     cos_slice::status::invalid_argument, "path");
}

} // namespace

int main(int argc, char **argv)
{
    begin(argc, argv);
    slices_may_be_sent_by_several_handles_and_finished_by_one();
    nothing_at_a_path_is_an_answer();
    everything_goes_in_one_request_and_away_again();
    each_form_without_exceptions_tells_what_is_missing();
    a_string_that_sign_made_authorizes_a_client_without_the_key();
    a_signer_is_asked_for_what_it_needs_to_know();
    a_signer_may_fail_or_give_what_no_request_can_carry();
    what_sign_can_t_sign_it_names();
}
