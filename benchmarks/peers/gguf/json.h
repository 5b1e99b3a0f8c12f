// A minimal JSON reader (RFC 8259), enough for config.json, a safetensors header and a shard index.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace peers {

struct Json {
    enum class Kind { Null, Bool, Number, String, Array, Object };

    Kind kind = Kind::Null;
    bool boolean = false;
    double number = 0;
    std::string string;
    std::vector<Json> items;
    std::map<std::string, Json> members;

    // The member of that name, or nullptr when it is absent or null.
    const Json* find(const std::string& name) const {
        auto it = members.find(name);
        return it == members.end() || it->second.kind == Kind::Null ? nullptr : &it->second;
    }
};

class JsonParser {
  public:
    // `where` names the file in error messages.
    static Json parse(std::string_view text, const std::string& where) {
        JsonParser parser(text, where);
        Json value = parser.value(0);
        parser.skip_space();
        if (parser.at_ != text.size()) parser.fail("text after the value");
        return value;
    }

  private:
    static constexpr int kMaxDepth = 64;

    JsonParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error(where_ + ": not JSON at byte " + std::to_string(at_) + ": " + what);
    }

    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
    }

    char peek() {
        skip_space();
        if (at_ >= text_.size()) fail("it ends early");
        return text_[at_];
    }

    void expect(char c) {
        if (peek() != c) fail(std::string("expected '") + c + "'");
        ++at_;
    }

    bool take(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    Json value(int depth) {
        if (depth > kMaxDepth) fail("nested too deeply");
        Json json;
        switch (peek()) {
            case '{':
                object(json, depth);
                break;
            case '[':
                array(json, depth);
                break;
            case '"':
                json.kind = Json::Kind::String;
                json.string = string();
                break;
            default:
                scalar(json);
        }
        return json;
    }

    void object(Json& json, int depth) {
        json.kind = Json::Kind::Object;
        expect('{');
        if (peek() == '}') {
            ++at_;
            return;
        }
        for (;;) {
            if (peek() != '"') fail("expected a member name");
            std::string name = string();
            expect(':');
            json.members[name] = value(depth + 1);
            if (peek() == '}') break;
            expect(',');
        }
        ++at_;
    }

    void array(Json& json, int depth) {
        json.kind = Json::Kind::Array;
        expect('[');
        if (peek() == ']') {
            ++at_;
            return;
        }
        for (;;) {
            json.items.push_back(value(depth + 1));
            if (peek() == ']') break;
            expect(',');
        }
        ++at_;
    }

    void scalar(Json& json) {
        if (take("null")) return;
        if (take("true") || take("false")) {
            json.kind = Json::Kind::Bool;
            json.boolean = text_[at_ - 2] == 'u';
            return;
        }
        std::string digits;
        while (at_ < text_.size() && std::string_view("+-.eE0123456789").find(text_[at_]) != std::string_view::npos)
            digits += text_[at_++];
        size_t used = 0;
        try {
            json.number = std::stod(digits, &used);
        } catch (const std::exception&) {
            fail("expected a value");
        }
        if (used != digits.size()) fail("malformed number");
        json.kind = Json::Kind::Number;
    }

    // Only names and numbers are read from these files, so an escaped character above 0x7F may become a '?'.
    std::string string() {
        std::string out;
        for (++at_;; ++at_) {
            if (at_ >= text_.size()) fail("unterminated string");
            char c = text_[at_];
            if (c == '"') break;
            out += c == '\\' ? escape() : c;
        }
        ++at_;
        return out;
    }

    char escape() {
        static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
        if (++at_ >= text_.size()) fail("unterminated string");
        size_t i = kNames.find(text_[at_]);
        if (i != std::string_view::npos) return kValues[i];
        if (text_[at_] != 'u' || at_ + 4 >= text_.size()) fail("unknown escape");
        int code = 0;
        for (int k = 0; k < 4; ++k) {
            size_t digit = std::string_view("0123456789abcdef").find(static_cast<char>(text_[++at_] | 0x20));
            if (digit == std::string_view::npos) fail("malformed \\u escape");
            code = code * 16 + static_cast<int>(digit);
        }
        return code < 0x80 ? static_cast<char>(code) : '?';
    }

    std::string_view text_;
    std::string where_;
    size_t at_ = 0;
};

}  // namespace peers
