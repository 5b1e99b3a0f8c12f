// Recursive descent over the PTX that compilers and inline assembly write: module directives, entries, nested scopes.
#include <unordered_map>

#include "lexer.h"
#include "ptx.h"

namespace ptxsim {

namespace {

constexpr u64 kMostBytes = 256 << 20;

class Parser {
  public:
    explicit Parser(PtxFile& file) : file_(file), lexer_(file.text) {}

    u32 line() const { return lexer_.line(); }

    void parse_module() {
        while (!lexer_.at_end()) {
            parse_top_level();
        }
        if (file_.version == 0 || file_.target == 0) {
            ptx_error(1, "the text has no .version and .target; it is not PTX");
        }
    }

  private:
    struct Scope {
        std::unordered_map<std::string_view, u32> registers, labels;
    };

    void parse_top_level() {
        const Token token = lexer_.take();
        if (token.text == ".version") {
            const std::string text(lexer_.take().text);
            const size_t dot = text.find('.');
            if (dot == std::string::npos) {
                ptx_error(token.line, ".version wants a number such as 7.0");
            }
            file_.version = (u32)(std::stoul(text.substr(0, dot)) * 10 + std::stoul(text.substr(dot + 1)));
        } else if (token.text == ".target") {
            const Token target = lexer_.expect_word();
            if (!target.text.starts_with("sm_")) {
                ptx_error(token.line, ".target wants sm_NN");
            }
            file_.target = (u32)std::stoul(std::string(target.text.substr(3)));
            while (lexer_.accept(",")) {
                lexer_.take();
            }
        } else if (token.text == ".address_size") {
            if (lexer_.expect_unsigned() != 64) {
                ptx_error(token.line, "only .address_size 64 is supported");
            }
        } else if (token.text == ".file") {
            parse_file_directive(token.line);
        } else if (token.text == ".section") {
            skip_braces();
        } else if (token.text == ".visible" || token.text == ".weak" || token.text == ".common") {
        } else if (token.text == ".extern") {
            extern_ = true;
        } else if (token.text == ".entry") {
            parse_entry();
            extern_ = false;
        } else if (token.text == ".func") {
            ptx_error(token.line, ".func: functions and calls are not supported; inline every helper into its kernel");
        } else if (token.text == ".global") {
            parse_variable(Variable::Space::Global, file_.variables);
        } else if (token.text == ".const") {
            parse_variable(Variable::Space::Const, file_.variables);
        } else if (token.text == ".shared") {
            parse_variable(Variable::Space::Shared, file_.variables);
        } else if (token.text == ".pragma") {
            lexer_.take();
            lexer_.expect(";");
        } else if (token.text == ".loc") {
            lexer_.skip_line(token.line);
        } else {
            ptx_error(token.line, "'" + std::string(token.text) + "' is not known at module level");
        }
    }

    void parse_file_directive(u32 line) {
        const u64 number = lexer_.expect_unsigned();
        const Token path = lexer_.take();
        if (number > 65535) {
            ptx_error(line, "a .file number over 65535");
        }
        if (file_.files.size() <= number) {
            file_.files.resize(number + 1);
        }
        file_.files[number] = std::string(path.text);
        lexer_.skip_line(line);
    }

    void skip_braces() {
        while (!lexer_.at_end() && !lexer_.at("{")) {
            lexer_.take();
        }
        u32 depth = 0;
        do {
            depth += lexer_.at("{");
            depth -= lexer_.at("}");
            lexer_.take();
        } while (!lexer_.at_end() && depth > 0);
    }

    u32 parse_alignment() {
        if (!lexer_.accept(".align")) {
            return 0;
        }
        const u32 line = lexer_.line();
        const u64 alignment = lexer_.expect_unsigned();
        if (!std::has_single_bit(alignment) || alignment > 1024) {
            ptx_error(line, "an alignment must be a power of two up to 1024");
        }
        return (u32)alignment;
    }

    /// Braces inside braces: the text may come from anywhere, the stack is finite.
    struct Depth {
        u32& depth;
        Depth(u32& depth, u32 line) : depth(depth) {
            if (++depth > 64) {
                ptx_error(line, "braces are nested too deeply");
            }
        }
        ~Depth() { depth--; }
    };

    Type parse_type_directive() {
        const Token token = lexer_.expect_word();
        Type type;
        if (!token.text.starts_with(".") || !parse_type(token.text.substr(1), &type)) {
            ptx_error(token.line, "'" + std::string(token.text) + "' is not a type");
        }
        return type;
    }

    void parse_variable(Variable::Space space, std::vector<Variable>& list) {
        Variable variable;
        variable.space = space;
        variable.line = lexer_.line();
        if (lexer_.accept(".attribute")) {
            lexer_.expect("(");
            while (!lexer_.accept(")")) {
                lexer_.take();
            }
        }
        variable.alignment = parse_alignment();
        u32 vector = 1;
        if (lexer_.accept(".v2")) {
            vector = 2;
        } else if (lexer_.accept(".v4")) {
            vector = 4;
        }
        const Type type = parse_type_directive();
        const u32 element = type_bytes(type) * vector;
        variable.alignment = variable.alignment == 0 ? element : variable.alignment;
        do {
            Variable one = variable;
            one.name = lexer_.expect_word().text;
            u64 count = 1;
            while (lexer_.accept("[")) {
                if (lexer_.accept("]")) {
                    one.dynamic = true;
                    count = 0;
                    continue;
                }
                count = std::min(count, kMostBytes) * std::min<u64>(lexer_.expect_unsigned(), kMostBytes + 1);
                lexer_.expect("]");
            }
            if (count > kMostBytes / element) {
                ptx_error(one.line, "variable " + std::string(one.name) + " is larger than 256 MiB");
            }
            one.bytes = count * element;
            if (lexer_.accept("=")) {
                parse_initializer(one, type);
            }
            if (one.dynamic && (space != Variable::Space::Shared || !extern_)) {
                ptx_error(one.line, "only .extern .shared arrays may have no size");
            }
            if (extern_ && !one.dynamic) {
                ptx_error(one.line, "external variable " + std::string(one.name) + " cannot be resolved");
            }
            list.push_back(std::move(one));
        } while (lexer_.accept(","));
        lexer_.expect(";");
        extern_ = false;
    }

    void parse_initializer(Variable& variable, Type type) {
        variable.initial.assign(variable.bytes, 0);
        u64 offset = 0;
        parse_initializer_level(variable, type, offset);
    }

    void parse_initializer_level(Variable& variable, Type type, u64& offset) {
        const Depth depth(depth_, lexer_.line());
        if (lexer_.accept("{")) {
            while (!lexer_.accept("}")) {
                parse_initializer_level(variable, type, offset);
                lexer_.accept(",");
            }
            return;
        }
        const u32 line = lexer_.line();
        const u32 bytes = type_bytes(type);
        if (offset + bytes > variable.bytes) {
            ptx_error(line, "more initial values than " + std::string(variable.name) + " has elements");
        }
        if (lexer_.peek().kind == Token::Kind::Word) {
            std::string_view symbol = lexer_.take().text;
            if (symbol == "generic") {
                lexer_.expect("(");
                symbol = lexer_.expect_word().text;
                lexer_.expect(")");
            }
            i64 addend = 0;
            if (lexer_.accept("+")) {
                addend = (i64)lexer_.expect_unsigned();
            }
            if (bytes != 8) {
                ptx_error(line, "an address needs a 64-bit element");
            }
            variable.relocations.push_back({offset, symbol, addend});
        } else {
            const Operand value = parse_number();
            u64 bits = value.bits;
            if (value.kind == Operand::Kind::Float64 && type == Type::F32) {
                bits = std::bit_cast<u32>((float)std::bit_cast<double>(bits));
            }
            std::memcpy(variable.initial.data() + offset, &bits, bytes);
        }
        offset += bytes;
    }

    Operand parse_number() {
        Operand operand;
        const bool negative = lexer_.accept("-");
        const Token token = lexer_.take();
        const std::string_view text = token.text;
        if (token.kind != Token::Kind::Number) {
            ptx_error(token.line, "expected a number, found '" + std::string(text) + "'");
        }
        if (text.starts_with("0f") || text.starts_with("0F")) {
            operand.kind = Operand::Kind::Float32;
            operand.bits = std::stoull(std::string(text.substr(2)), nullptr, 16) ^ (negative ? 0x80000000ull : 0);
        } else if (text.starts_with("0d") || text.starts_with("0D")) {
            operand.kind = Operand::Kind::Float64;
            operand.bits = std::stoull(std::string(text.substr(2)), nullptr, 16) ^ (negative ? 1ull << 63 : 0);
        } else if (text.find('.') != std::string_view::npos) {
            operand.kind = Operand::Kind::Float64;
            const double value = std::stod(std::string(text));
            operand.bits = std::bit_cast<u64>(negative ? -value : value);
        } else {
            operand.kind = Operand::Kind::Integer;
            operand.bits = parse_integer(text, token.line);
            operand.bits = negative ? 0 - operand.bits : operand.bits;
        }
        return operand;
    }

    void parse_entry() {
        file_.entries.emplace_back();
        entry_ = &file_.entries.back();
        entry_->line = lexer_.line();
        entry_->name = lexer_.expect_word().text;
        scopes_.assign(1, {});
        source_ = {};
        if (lexer_.accept("(")) {
            parse_parameters();
        }
        while (!lexer_.at("{")) {
            parse_performance_directive();
        }
        parse_block();
        for (const u32 label : pending_labels_) {
            entry_->end_labels.push_back(label);
        }
        pending_labels_.clear();
        check_labels();
    }

    void parse_parameters() {
        u32 offset = 0;
        while (!lexer_.accept(")")) {
            lexer_.expect(".param");
            Parameter parameter;
            u32 alignment = parse_alignment();
            const Type type = parse_type_directive();
            // .ptr .space .align N describe what a pointer points to.
            if (lexer_.accept(".ptr")) {
                while (lexer_.at(".global") || lexer_.at(".const") || lexer_.at(".shared") || lexer_.at(".local")) {
                    lexer_.take();
                }
                parse_alignment();
            }
            parameter.name = lexer_.expect_word().text;
            u64 count = 1;
            if (lexer_.accept("[")) {
                count = std::min<u64>(lexer_.expect_unsigned(), 8192);
                lexer_.expect("]");
            }
            alignment = alignment == 0 ? type_bytes(type) : alignment;
            offset = (offset + alignment - 1) / alignment * alignment;
            parameter.offset = offset;
            parameter.alignment = alignment;
            parameter.bytes = (u32)(count * type_bytes(type));
            offset += parameter.bytes;
            entry_->parameters.push_back(parameter);
            lexer_.accept(",");
        }
        entry_->parameter_bytes = offset;
        if (entry_->parameters.size() > 4096 || offset > 4096) {
            ptx_error(entry_->line, "the parameters of " + std::string(entry_->name) + " take more than 4096 bytes");
        }
    }

    void parse_performance_directive() {
        const Token token = lexer_.take();
        if (token.text == ".maxntid" || token.text == ".reqntid") {
            u32 product = 1;
            for (u32 axis = 0;; axis++) {
                const u32 value = (u32)lexer_.expect_unsigned();
                product *= value;
                if (token.text == ".reqntid" && axis < 3) {
                    entry_->required[axis] = value;
                }
                if (!lexer_.accept(",")) {
                    break;
                }
            }
            entry_->max_threads = product;
            entry_->has_max_threads = true;
        } else if (token.text == ".minnctapersm" || token.text == ".maxnreg" || token.text == ".maxnctapersm") {
            lexer_.expect_unsigned();
        } else if (token.text == ".pragma") {
            lexer_.take();
            lexer_.expect(";");
        } else {
            ptx_error(token.line, "'" + std::string(token.text) + "' is not known before a kernel's body");
        }
    }

    void parse_block() {
        const Depth depth(depth_, lexer_.line());
        lexer_.expect("{");
        scopes_.emplace_back();
        while (!lexer_.at("}")) {
            if (lexer_.at_end()) {
                ptx_error(lexer_.line(), "the body of " + std::string(entry_->name) + " has no end");
            }
            parse_body_item();
        }
        lexer_.take();
        scopes_.pop_back();
    }

    void parse_body_item() {
        if (lexer_.at("{")) {
            parse_block();
            return;
        }
        if (lexer_.accept(";")) {
            return;
        }
        const u32 line = lexer_.line();
        if (lexer_.accept(".reg")) {
            parse_registers();
        } else if (lexer_.accept(".loc")) {
            source_.file = (u32)lexer_.expect_unsigned();
            source_.line = (u32)lexer_.expect_unsigned();
            source_.column = (u32)lexer_.expect_unsigned();
            lexer_.skip_line(line);
        } else if (lexer_.accept(".shared")) {
            parse_variable(Variable::Space::Shared, entry_->shared);
        } else if (lexer_.accept(".pragma")) {
            lexer_.take();
            lexer_.expect(";");
        } else if (lexer_.at(".local")) {
            ptx_error(line, ".local memory in " + std::string(entry_->name) +
                                ": a register array is indexed by a run-time value; it is not supported");
        } else if (lexer_.at(".param")) {
            ptx_error(line, "calls are not supported; inline every helper into its kernel");
        } else {
            parse_statement();
        }
    }

    void parse_registers() {
        const Type type = parse_type_directive();
        do {
            const Token name = lexer_.expect_word();
            if (lexer_.accept("<")) {
                const u64 count = lexer_.expect_unsigned();
                lexer_.expect(">");
                // %r<3> declares %r0 %r1 %r2; they are created when used, by prefix.
                ranges().push_back({name.text, type, count, scopes_.size()});
            } else {
                add_register(name.text, type);
            }
        } while (lexer_.accept(","));
        lexer_.expect(";");
    }

    struct Range {
        std::string_view prefix;
        Type type;
        u64 count;
        size_t depth;
    };

    std::vector<Range>& ranges() {
        while (!ranges_.empty() && ranges_.back().depth > scopes_.size()) {
            ranges_.pop_back();
        }
        return ranges_;
    }

    u32 add_register(std::string_view name, Type type) {
        const u32 number = (u32)entry_->registers.size();
        entry_->registers.push_back({name, type});
        scopes_.back().registers[name] = number;
        return number;
    }

    bool find_register(std::string_view name, u32* number) {
        for (size_t depth = scopes_.size(); depth-- > 0;) {
            const auto found = scopes_[depth].registers.find(name);
            if (found != scopes_[depth].registers.end()) {
                *number = found->second;
                return true;
            }
        }
        size_t split = name.size();
        while (split > 0 && name[split - 1] >= '0' && name[split - 1] <= '9') {
            split--;
        }
        if (split == name.size() || name.size() - split > 9) {
            return false;
        }
        std::vector<Range>& known = ranges();
        for (size_t k = known.size(); k-- > 0;) {
            if (known[k].prefix == name.substr(0, split) &&
                std::stoul(std::string(name.substr(split))) < known[k].count) {
                *number = (u32)entry_->registers.size();
                entry_->registers.push_back({name, known[k].type});
                scopes_[known[k].depth - 1].registers[name] = *number;
                return true;
            }
        }
        return false;
    }

    /// Labels may be used before they stand; a use in an inner scope means the innermost scope that has or will have
    /// it.
    u32 label_number(std::string_view name) {
        for (size_t depth = scopes_.size(); depth-- > 0;) {
            const auto found = scopes_[depth].labels.find(name);
            if (found != scopes_[depth].labels.end()) {
                return found->second;
            }
        }
        const u32 number = (u32)entry_->labels.size();
        entry_->labels.emplace_back(name);
        placed_.push_back(false);
        scopes_.back().labels[name] = number;
        return number;
    }

    void place_label(std::string_view name, u32 line) {
        u32 number;
        const auto found = scopes_.back().labels.find(name);
        if (found != scopes_.back().labels.end()) {
            number = found->second;
        } else {
            number = label_number(name);
        }
        if (placed_[number]) {
            ptx_error(line, "label " + std::string(name) + " stands twice");
        }
        placed_[number] = true;
        pending_labels_.push_back(number);
    }

    void check_labels() {
        for (size_t k = 0; k < placed_.size(); k++) {
            if (!placed_[k]) {
                ptx_error(entry_->line,
                          "label " + entry_->labels[k] + " of " + std::string(entry_->name) + " does not exist");
            }
        }
        placed_.clear();
        ranges_.clear();
    }

    void parse_statement() {
        Statement statement;
        statement.line = lexer_.line();
        if (lexer_.accept("@")) {
            statement.guarded = true;
            statement.guard_negated = lexer_.accept("!");
            const Token name = lexer_.expect_word();
            if (!find_register(name.text, &statement.guard)) {
                ptx_error(name.line, "register " + std::string(name.text) + " is not declared");
            }
        }
        const Token word = lexer_.expect_word();
        if (!statement.guarded && lexer_.accept(":")) {
            place_label(word.text, word.line);
            return;
        }
        statement.opcode = word.text;
        split_opcode(word, statement);
        while (!lexer_.accept(";")) {
            statement.operands.push_back(parse_operand(statement));
            if (!lexer_.at(";")) {
                lexer_.expect(",");
            }
        }
        statement.source = source_;
        statement.labels.swap(pending_labels_);
        entry_->statements.push_back(std::move(statement));
    }

    static void split_opcode(const Token& word, Statement& statement) {
        std::string_view rest = word.text;
        size_t dot = rest.find('.');
        statement.root = rest.substr(0, dot);
        while (dot != std::string_view::npos) {
            rest = rest.substr(dot + 1);
            dot = rest.find('.');
            statement.modifiers.push_back(rest.substr(0, dot));
        }
    }

    Operand parse_operand(const Statement& statement) {
        Operand first = parse_single(statement);
        if (!lexer_.accept("|")) {
            return first;
        }
        Operand pair;
        pair.kind = Operand::Kind::Pair;
        pair.elements.push_back(std::move(first));
        pair.elements.push_back(parse_single(statement));
        return pair;
    }

    Operand parse_single(const Statement& statement) {
        const u32 line = lexer_.line();
        const Depth depth(depth_, line);
        Operand operand;
        if (lexer_.accept("{")) {
            operand.kind = Operand::Kind::Vector;
            while (!lexer_.accept("}")) {
                operand.elements.push_back(parse_single(statement));
                lexer_.accept(",");
            }
            return operand;
        }
        if (lexer_.accept("[")) {
            operand.kind = Operand::Kind::Address;
            if (lexer_.peek().kind == Token::Kind::Word) {
                const Token base = lexer_.take();
                operand.text = base.text;
                operand.base_is_register = find_register(base.text, &operand.reg);
                if (!operand.base_is_register && base.text.starts_with("%")) {
                    ptx_error(line, "register " + std::string(base.text) + " is not declared");
                }
                if (lexer_.accept("+")) {
                    operand.offset = (i64)parse_number().bits;
                } else if (lexer_.at("-")) {
                    operand.offset = (i64)parse_number().bits;
                }
            } else {
                operand.offset = (i64)parse_number().bits;
            }
            lexer_.expect("]");
            return operand;
        }
        operand.negated = lexer_.accept("!");
        if (lexer_.peek().kind == Token::Kind::Word) {
            const Token word = lexer_.take();
            operand.text = word.text;
            if (find_register(word.text, &operand.reg)) {
                operand.kind = Operand::Kind::Register;
            } else if (word.text == "WARP_SZ") {
                operand.kind = Operand::Kind::Integer;
                operand.bits = kLanes;
            } else if (word.text.starts_with("%")) {
                operand.kind = Operand::Kind::Special;
            } else if (statement.root == "bra") {
                operand.kind = Operand::Kind::Label;
                operand.reg = label_number(word.text);
            } else {
                operand.kind = Operand::Kind::Symbol;
                if (lexer_.accept("+")) {
                    operand.offset = (i64)parse_number().bits;
                }
            }
            return operand;
        }
        Operand number = parse_number();
        number.negated = operand.negated;
        return number;
    }

    PtxFile& file_;
    Lexer lexer_;
    Entry* entry_ = nullptr;
    std::vector<Scope> scopes_;
    std::vector<Range> ranges_;
    std::vector<bool> placed_;
    std::vector<u32> pending_labels_;
    SourceLine source_;
    bool extern_ = false;
    u32 depth_ = 0;
};

}  // namespace

std::unique_ptr<PtxFile> parse_ptx(std::string text) {
    auto file = std::make_unique<PtxFile>();
    file->text = std::move(text);
    Parser parser(*file);
    try {
        parser.parse_module();
    } catch (const std::logic_error&) {
        // std::stoul and its kin: digits that are none, or too many of them.
        ptx_error(parser.line(), "a number is malformed");
    }
    return file;
}

}  // namespace ptxsim
